export { ECDSA as default } from "./sdk.js";
