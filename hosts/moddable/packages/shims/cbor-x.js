// The exports of the cbor-x bundle: the part of "cbor-x/index-no-eval" that the device uses.

import { Decoder } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";

for (const { prototype } of [Decoder, Encoder]) Object.freeze(prototype);

export { Decoder, Encoder };
