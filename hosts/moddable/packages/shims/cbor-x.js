// What the bundle of cbor-x exports: the same as "cbor-x/index-no-eval", as far as the device uses it.

export { Decoder } from "cbor-x/decode";
export { Encoder } from "cbor-x/encode";
