/**
 * The device program as a library, for your own host and for tests. On a device, each file is imported by its own name.
 * @module moddable-fleet-provisioning/device
 */

export {
	type CatalogueEntry,
	catalogue,
	Failure,
	type FailureClass,
	type FailureCode,
	type FailureReport,
	type FailureStep,
	type Rejection,
} from "./base/failure.js";
export { boot } from "./boot.js";
export type {
	Application,
	ApplicationConnection,
	ApplicationContext,
	ConnectionError,
	Identity,
	MessageHandler,
	Stop,
	Will,
} from "./contract/application.js";
export type { Configuration } from "./contract/configuration.js";
export type { DeviceEvent, DeviceState, Operation, Role } from "./contract/events.js";
export type * from "./contract/host.js";
