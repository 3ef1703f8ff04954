import { mqttTarget, mqttTlsTarget } from "./mqtt/target.js";
import { Random } from "./mutate.js";
const target = process.argv[2] === "tls" ? mqttTlsTarget : mqttTarget;
process.on("uncaughtException", (e) => console.log("UNCAUGHT", e));
console.log("opening");
const o = await target.open();
console.log("open");
let t = Date.now(), n = 0;
for (let i = 0; i < Number(process.argv[3]); i++) {
  const input = target.generate(Random.of(1, i));
  const t0 = Date.now();
  try { n += await o.run(input); } catch (e) { console.log(i, e); }
  console.log(i, Date.now() - t0, input.length);
}
console.log(n, Date.now() - t);
await o.close();
console.log("closed");
