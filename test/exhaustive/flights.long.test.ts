// What a network and a service may do to a device that sends CONNECT, SUBSCRIBE and its first request in one flight, and power cuts
// at each packet: also where the broker does not take such a flight.

import { anyRejection, anythingToAnyPacket, powerCutsAtPackets } from "./packets.js";
import { IN_TWO_FLIGHTS, REFUSED_FLIGHTS } from "./ways.js";

anythingToAnyPacket(IN_TWO_FLIGHTS);
anyRejection(IN_TWO_FLIGHTS);
powerCutsAtPackets([...IN_TWO_FLIGHTS, ...REFUSED_FLIGHTS]);
