// What the firmware runs first.

import { application } from "./application.js";
import { start } from "./start.js";

start(application);
