// Power cuts at each byte of each write to flash, where what was being written is left cut off.

import { powerCutsAtEachByte } from "./power-bytes.js";

powerCutsAtEachByte("short");
