export { Digest } from "./sdk.js";
