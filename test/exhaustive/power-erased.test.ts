// Power cuts at each byte of each write to flash, where what was being written is left erased behind the new.

import { powerCutsAtEachByte } from "./power-bytes.js";

powerCutsAtEachByte("erased");
