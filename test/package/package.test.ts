// The tests of the installed package take a minute of npm: `npm run test:all` runs them.

import t from "tap";
import { all, leaveOut } from "../support/sample.js";

if (all) await import("./installed.js");
else t.test("the package, packed, installed and used", async (test) => leaveOut(test, 1, 1, "test file"));
