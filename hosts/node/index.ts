/**
 * A simulated ESP32 as a library: the device program in this process, on a machine that can be switched on and off.
 * @module moddable-fleet-provisioning/node
 */

export type { ClockOptions } from "./clock.js";
export { certificateFromPem, credentialsFromPem } from "./credentials.js";
export { type Network, SimulatedDevice, type SimulatedDeviceOptions } from "./device.js";
export { FileFlash, MemoryFlash } from "./flash.js";
export type { Traffic } from "./socket.js";
export { realTime, type Time } from "./time.js";
