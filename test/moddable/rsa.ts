export { RSA as default } from "./sdk.js";
