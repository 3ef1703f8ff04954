// What a network and a service may do to a device that sends its requests step by step, and power cuts at each packet.

import { anyRejection, anythingToAnyPacket, powerCutsAtPackets } from "./packets.js";
import { STEP_BY_STEP } from "./ways.js";

anythingToAnyPacket(STEP_BY_STEP);
anyRejection(STEP_BY_STEP);
powerCutsAtPackets(STEP_BY_STEP);
