// The firmware as one module. It is JavaScript because mcpack finds no modules written in TypeScript.

export { start } from "fleet-provisioning/hosts/moddable/start";
