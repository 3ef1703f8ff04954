// What an app that is built with mcpack imports as "moddable-fleet-provisioning". Its module is in manifest.json beside it.

export { start } from "moddable:fleet-provisioning";
