// Power cuts at each byte of each write to flash, where the new bytes are followed by erased flash.

import { powerCutsAtEachByte } from "./power-bytes.js";

powerCutsAtEachByte("erased");
