import { mqttTarget, mqttTlsTarget } from "./mqtt/target.js"; export const targets = [mqttTarget, mqttTlsTarget];
