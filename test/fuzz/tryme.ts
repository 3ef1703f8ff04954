import { Supervisor } from "./supervisor.js";
import { mqttTarget, mqttTlsTarget } from "./mqtt/target.js";
const which = process.argv[2] === "tls" ? mqttTlsTarget : mqttTarget;
const n = Number(process.argv[3] ?? 400);
const s = new Supervisor(new URL("./trymodule.ts", import.meta.url).href);
const t0 = Date.now();
const out = await s.fuzz({ target: which, seed: Number(process.argv[4] ?? 1), goOn: (i) => i < n, onProgress: (p) => console.log(p, (Date.now()-t0)/1000), onFinding: (f) => console.log(f.kind, f.message, f.repeats, "\n", Buffer.from(f.input).toString().slice(0, 2000)) });
console.log(out.inputs, out.units, out.findings.map((f) => [f.kind, f.times, f.message]));
s.close();
