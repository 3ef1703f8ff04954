// What the firmware takes for its machine, as "fleet-provisioning/machine", unless an app maps that name to a module of its own.

export { createMachine } from "fleet-provisioning/hosts/moddable/esp32/machine";
