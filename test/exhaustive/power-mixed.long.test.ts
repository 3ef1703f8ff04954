// Power cuts at each byte of each write to flash, where the new bytes are followed by the rest of the old value.

import { powerCutsAtEachByte } from "./power-bytes.js";

powerCutsAtEachByte("mixed");
