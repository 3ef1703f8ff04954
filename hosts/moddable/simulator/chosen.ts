// The machine that the firmware uses: the module "fleet-provisioning/machine", unless an app maps that name to its own
// module.

export { createMachine } from "fleet-provisioning/hosts/moddable/simulator/machine";
