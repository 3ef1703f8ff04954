export { X509 as default } from "./sdk.js";
