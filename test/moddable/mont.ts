export { Mont as default } from "./sdk.js";
