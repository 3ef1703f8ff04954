// Power cuts at each byte of each write to flash, where what was being written is left half new, half old.

import { powerCutsAtEachByte } from "./power-bytes.js";

powerCutsAtEachByte("mixed");
