// The firmware under one name, in JavaScript: mcpack finds no module that is in TypeScript.

export { start } from "fleet-provisioning/hosts/moddable/start";
