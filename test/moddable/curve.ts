export { Curve as default } from "./sdk.js";
