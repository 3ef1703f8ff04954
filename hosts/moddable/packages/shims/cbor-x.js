// What the bundle of cbor-x exports: the same as "cbor-x/index-no-eval", as far as the device uses it.

import { Decoder } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";

for (const { prototype } of [Decoder, Encoder]) Object.freeze(prototype);

export { Decoder, Encoder };
