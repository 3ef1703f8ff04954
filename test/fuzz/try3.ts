import { mqttTarget } from "./mqtt/target.js";
import { Random } from "./mutate.js";
import { shrink } from "./shrink.js";
let un: any;
process.on("uncaughtException", (e) => { un = e; });
const i = Number(process.argv[2]); const mode = process.argv[3];
const input = mqttTarget.generate(Random.of(1, i));
const fails = async (x: Uint8Array) => {
  const o = await mqttTarget.open(); const t = Date.now(); let bad = false;
  try { await o.run(x); } catch (e: any) { if (mode !== "slow") bad = String(e.message).includes(mode!); }
  if (mode === "slow" && Date.now() - t > 950) bad = true;
  await o.close(); return bad;
};
console.log(await fails(input));
const m = await shrink(mqttTarget, input, fails, 200);
console.log(Buffer.from(m).toString());
process.exit();
