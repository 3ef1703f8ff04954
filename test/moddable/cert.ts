export { CertificateManager as default } from "./sdk.js";
