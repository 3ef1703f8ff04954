// Every story on the Node host.

import t from "tap";
import { tell } from "../support/tell.js";
import { stories } from "./stories.js";

for (const story of stories) t.test(story.name, async (test) => void (await tell(test, story)));
