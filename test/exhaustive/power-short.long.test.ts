// Power cuts at each byte of each write to flash, where only the new bytes before the cut are left.

import { powerCutsAtEachByte } from "./power-bytes.js";

powerCutsAtEachByte("short");
