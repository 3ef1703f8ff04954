export { HMAC as default } from "./sdk.js";
