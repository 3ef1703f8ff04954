export { PKCS1_5 as default } from "./sdk.js";
