export { ECPoint as default } from "./sdk.js";
