// The device program as a library: for a host of one's own, and for tests. On a device each file is imported by its own name.

export {
	catalogue,
	Failure,
	type FailureClass,
	type FailureCode,
	type FailureReport,
	type FailureStep,
	type Rejection,
} from "./base/failure.js";
export { boot } from "./boot.js";
export type { Application, ApplicationContext, Identity, MessageHandler, Will } from "./contract/application.js";
export type { Configuration } from "./contract/configuration.js";
export type { DeviceEvent, DeviceState, Operation, Role } from "./contract/events.js";
export type * from "./contract/host.js";
