// The module that an app built with mcpack imports as "moddable-fleet-provisioning". The manifest.json beside it declares
// it.

export { start } from "moddable:fleet-provisioning";
