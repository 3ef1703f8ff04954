// What is left out of the packages for the device, or done otherwise there, and why. Each must find its place when they are
// bundled: a new version of a package that reads differently ends the build.

/** A replacement in one file of a package. */
export interface Replacement {
	readonly file: string;
	readonly from: string | RegExp;
	readonly to: string;
}

export const cborReplacements: readonly Replacement[] = [
	// XS keeps a stack slot for every outer variable that a function uses, and there are 384: whatever the device
	// has no use for goes, so that read() and encode() are left with a third of their frames. That is all but
	// plain objects (or maps), arrays, text, bytes, numbers and simple values, without tags, records, shared or
	// packed values. Options that would need more are refused.
	{
		file: "decode.js",
		from: "	constructor(options) {\n",
		to: `	constructor(options) {
for (const name in options)
	if (!["useRecords", "mapsAsObjects", "variableMapSize", "tagUint8Array", "int64AsNumber"].includes(name))
		throw new TypeError(\`cbor-x: option \${name} is not provided\`)
if (!options || options.useRecords !== false) throw new TypeError("cbor-x: useRecords must be false")
`,
	},
	{ file: "decode.js", from: "case 6: // extension", to: "case 6: throw new Error('CBOR tags are not provided')" },
	{
		file: "decode.js",
		from: "let packedValue = (packedValues || getPackedValues())[token]",
		to: "let packedValue",
	},
	{ file: "decode.js", from: /currentDecoder\.keyMap/g, to: "false" },
	{ file: "decode.js", from: "currentDecoder.useFloat32 > 2", to: "false" },
	{ file: "decode.js", from: "if (srcStringEnd >= position) { // already", to: "if (false) { // already" },
	{ file: "decode.js", from: /\tdecodeMultiple\([\s\S]*?\n\t\}\n\}/, to: "}" },
	// limits far beyond a device's memory; that a container has at least a byte for each item stays checked
	{ file: "decode.js", from: /if \(token > (maxArraySize|objectSizeLimit|maxMapSize)\) .*/g, to: "" },
	{
		file: "decode.js",
		from: /if \(i(\+\+)? >= (maxArraySize|objectSizeLimit|maxMapSize)\) (\{\s*throw .*\s*\}|throw .*)/g,
		to: "",
	},
	{
		file: "decode.js",
		from: /if \(restoreMapsAsObject\) \{\s*currentDecoder\S* = true\s*\S* = false\s*\}/g,
		to: "",
	},
	{ file: "decode.js", from: "let keyCache = new Array(4096)", to: "" },
	{
		file: "decode.js",
		from: /currentExtensions\[0\] = [\s\S]*?(?=function readBundleExt)/,
		to: "export const typedArrays = []\n",
	},
	{ file: "decode.js", from: /function isBuiltinScanTag[\s\S]*?(?=export function addExtension)/, to: "" },
	{ file: "decode.js", from: /const builtinScanTags = .*\n/, to: "" },
	{ file: "decode.js", from: /export const mult10[\s\S]*?\n}\n/, to: "export const mult10 = []\n" },
	{ file: "decode.js", from: /let defaultDecoder[\s\S]*?(?=export const FLOAT32_OPTIONS)/, to: "" },
	{ file: "encode.js", from: /\tthis\.mapEncode = [\s\S]*?(?=\t\tthis\.encode = )/, to: "" },
	{ file: "encode.js", from: /\tthis\.findCommonStringsToPack = [\s\S]*?(?=\t\tconst encode = )/, to: "" },
	{ file: "encode.js", from: /let chunkThreshold = 100;[\s\S]*?(?=\t\}\n\tuseBuffer)/, to: "" },
	{ file: "encode.js", from: /\tclearSharedData\(\) \{[\s\S]*?(?=\}\nfunction writeEntityLength)/, to: "" },
	{ file: "encode.js", from: /const isLittleEndianMachine[\s\S]*?(?=function writeBuffer)/, to: "" },
	{ file: "encode.js", from: /let defaultEncoder[\s\S]*?(?=export \{ FLOAT32)/, to: "" },
	{ file: "encode.js", from: "referenceMap = encoder.structuredClone ? new Map() : null", to: "" },
	{ file: "encode.js", from: "if (encoder.bundleStrings && typeof value !== 'string')", to: "if (false)" },
	{ file: "encode.js", from: "sharedStructures = encoder.structures\n", to: "\n" },
	{ file: "encode.js", from: /if \(sharedStructures\) \{/g, to: "if (false) {" },
	{ file: "encode.js", from: "structures = sharedStructures || []", to: "" },
	{ file: "encode.js", from: "packedObjectMap = sharedPackedObjectMap\n", to: "\n" },
	{ file: "encode.js", from: "if (options.pack) {", to: "if (false) {" },
	{ file: "encode.js", from: "if (bundledStrings && bundledStrings.position)", to: "if (false)" },
	{ file: "encode.js", from: "if (referenceMap && referenceMap.idsToInsert)", to: "if (false)" },
	{ file: "encode.js", from: "if (hasSharedUpdate && encoder.saveShared)", to: "if (false)" },
	{ file: "encode.js", from: "if (hasSharedUpdate)\n\t\t\t\thasSharedUpdate = false", to: "" },
	{ file: "encode.js", from: "if (packedObjectMap) {", to: "if (false) {" },
	{ file: "encode.js", from: "if (bundledStrings && strLength >= 4 && strLength < 0x400)", to: "if (false)" },
	{ file: "encode.js", from: "if (referenceMap) {", to: "if (false) {" },
	{ file: "encode.js", from: "(useFloat32 = this.useFloat32) > 0", to: "false" },
	{ file: "encode.js", from: /encoder\.keyMap/g, to: "false" },
	{ file: "encode.js", from: "if (this.skipFunction === true)", to: "if (false)" },
	{
		file: "encode.js",
		from: "} else if (constructor === Map) {",
		to: `} else if (value instanceof Uint8Array) {
				writeBuffer(value, makeRoom)
			} else if (true) {
				throw new TypeError("cbor-x: only plain objects, arrays and bytes are provided")
			} else if (constructor === Map) {`,
	},
	{ file: "encode.js", from: "type === 'bigint'", to: "false" },
	{
		file: "encode.js",
		from: "this.useRecords === false ? this.variableMapSize",
		to: "true ? this.variableMapSize",
	},
	// XS reads and writes UTF-8 itself. (The package's own way takes a stack slot for each character of short text.)
	{ file: "decode.js", from: /try \{\s*decoder = [\s\S]*?\{\}/, to: "" },
	{
		file: "decode.js",
		from: /if \(srcStringEnd == 0 && [\s\S]*?return readFixedString\(token\)/,
		to: "return textOf(src, position, position += token)",
	},
	{ file: "decode.js", from: /let readFixedString = readStringJS[\s\S]*?(?=function readBin)/, to: "" },
	{ file: "decode.js", from: /function readBundleExt[\s\S]*?(?=export function clearSource)/, to: "" },
	{ file: "decode.js", from: "if (src) {", to: "if (false) {" },
	{ file: "encode.js", from: /try \{\s*textEncoder = [\s\S]*?\{\}/, to: "" },
	{ file: "encode.js", from: /let encodeUtf8 = [\s\S]*?(?=\t\tlet encoder = this)/, to: "" },
	{ file: "encode.js", from: "strLength < 0x40 || !encodeUtf8", to: "strLength < 0x40" },
	{
		file: "encode.js",
		from: "length = encodeUtf8(value, position + headerSize, maxBytes)",
		to: "const utf8 = bytesOf(value); target.set(utf8, position + headerSize); length = utf8.length",
	},
	// Each request begins a buffer of half a KB, which grows when that is not enough: the package's own, of 8 KB, stays for good.
	{ file: "encode.js", from: "new ByteArrayAllocate(8192)", to: "new ByteArrayAllocate(512)" },
	{ file: "encode.js", from: "new DataView(target.buffer, 0, 8192)", to: "new DataView(target.buffer, 0, 512)" },
	{
		file: "encode.js",
		from: "target = new ByteArrayAllocate(target.length)",
		to: "target = new ByteArrayAllocate(512)",
	},
	// Grown by what is needed: the package's own way makes 16 KB for a signing request of 1 KB, for good.
	{
		file: "encode.js",
		from: "((Math.max((end - start) << 2, target.length - 1) >> 12) + 1) << 12",
		to: "end - start + 256",
	},
	// What was read last, a reply of 3 KB, is let go.
	{ file: "decode.js", from: "// finished reading this source, cleanup references", to: "dataView = null" },
	// Variables that only serve what has gone above: each costs a pointer in RAM, and more once it is written to.
	{ file: "decode.js", from: /try \{\s*new Function\(''\)[\s\S]*?\n\}\n/, to: "" },
	{ file: "decode.js", from: "let currentDecoder = {}", to: "let currentDecoder" },
	{ file: "decode.js", from: /\t\tstringPosition = 0\n[\s\S]*?(?=\t\tsrc = source\n)/, to: "" },
	{
		file: "decode.js",
		from: /if \(this instanceof Decoder\) \{\s*currentDecoder = this[\s\S]*?(?=\t\treturn checkedRead\(\)\n\t\}\n)/,
		to: "currentDecoder = this\n",
	},
	{ file: "decode.js", from: /if \(bundledStrings\) \{[\s\S]*?\n\t\t\}\n/, to: "" },
	{
		file: "decode.js",
		from: /\t\t\tcurrentStructures = null\n(\t\t\tsrc = null\n)\t\t\tif \(referenceMap\)\s*referenceMap = null\n/,
		to: "$1",
	},
	{ file: "decode.js", from: "} else if (!sequentialMode) {", to: "} else {" },
	{ file: "decode.js", from: "if (nestedDecodeErrors.has(error)) {", to: "if (false) {" },
	{ file: "decode.js", from: "\treferenceMap = null\n\tcurrentStructures = null\n}", to: "}" },
	{ file: "encode.js", from: /else\s+bundledStrings = null\n/, to: "\n" },
	{
		file: "encode.js",
		from: /throwOnIterable = encodeOptions[\s\S]*?if \(throwOnIterable\)\s*return;/,
		to: "try {",
	},
	{ file: "encode.js", from: "export const { NEVER, ALWAYS, DECIMAL_ROUND, DECIMAL_FIT } = FLOAT32_OPTIONS", to: "" },
	{ file: "decode.js", from: /let f32Array = .*\nlet u8Array = .*\n/, to: "" },
	// A float of 16 bits is put together in an array of the module. In flash that cannot be written to.
	{
		file: "decode.js",
		from: /\tu8Array\[3\] = [\s\S]*?return f32Array\[0\];/,
		to: "\treturn (byte0 & 0x80 ? -1 : 1) * (1024 + ((byte0 & 3) << 8 | byte1)) * 2 ** (exponent - 25);",
	},
];

/** CommonJS as ES modules, in one file: then all of them have one scope, without the wrappers of CommonJS, which change. */
const asModules = (file: string): readonly Replacement[] => [
	{ file, from: /^const (.+) = require\('(.+?)'\)$/gm, to: "import $1 from '$2'" },
	{ file, from: "module.exports =", to: "export default" },
];

export const mqttReplacements: readonly Replacement[] = [
	{ file: "parser.js", from: /^const debug = .*$/m, to: "" },
	{ file: "writeToStream.js", from: /^const debug = .*$/m, to: "" },
	{
		file: "writeToStream.js",
		from: /^const nextTick = .*$/m,
		to: "import { nextTick } from 'process-nextick-args'",
	},
	...["parser.js", "generate.js", "writeToStream.js", "numbers.js"].flatMap(asModules),
	{ file: "packet.js", from: "module.exports =", to: "export default" },
	{ file: "constants.js", from: "const protocol = module.exports", to: "const protocol = {}\nexport default protocol" },
	{ file: "constants.js", from: /^const \{ Buffer \} = .*$/m, to: "" },
	// The first packet would fill a cache of 65,536 buffers (11 MB), and one is kept for every length that a packet ever had.
	{ file: "numbers.js", from: "const max = 65536\nconst cache = {}", to: "" },
	{ file: "numbers.js", from: /function generateCache [\s\S]*?\n\}\n/, to: "" },
	{
		file: "numbers.js",
		from: /function generate4ByteBuffer [\s\S]*/,
		to: "export { generateBuffer as generateNumber, genBufVariableByteInt }\n",
	},
	{ file: "writeToStream.js", from: /^import numbers from .*$/m, to: "" },
	{
		file: "writeToStream.js",
		from: /const numCache = [\s\S]*?let toGenerate = true\n/,
		to: "import { generateNumber, genBufVariableByteInt } from './numbers'\n",
	},
	{ file: "writeToStream.js", from: / {2}if \(toGenerate\) \{[\s\S]*?\n {2}\}\n/, to: "" },
	{ file: "writeToStream.js", from: /Object\.defineProperty\(generate, [\s\S]*?\n\}\)\n/, to: "" },
	{ file: "writeToStream.js", from: /function writeNumberCached [\s\S]*?\n\}\n/, to: "" },
	{ file: "writeToStream.js", from: "function writeNumberGenerated ", to: "function writeNumber " },
	{ file: "writeToStream.js", from: "const varByteIntCache = {}", to: "" },
	{
		file: "writeToStream.js",
		from: /let buffer = varByteIntCache\[num\][\s\S]*?\n {2}\}\n/,
		to: "const buffer = genBufVariableByteInt(num)\n",
	},
	// What lies in flash and can change costs RAM. A typed array can be frozen only while it is empty, so that the bytes of
	// headers are plain arrays, which those who take them copy from all the same.
	{ file: "constants.js", from: /Buffer\.from\((\[.*\])\)/g, to: "$1" },
	{
		file: "constants.js",
		from: /const buf = Buffer\.alloc\(1\)\s*buf\.writeUInt8\(([\s\S]*?), 0, true\)\s*return buf/,
		to: "return [$1]",
	},
	{ file: "constants.js", from: /$/, to: "\nObject.freeze(protocol, true)\n" },
	{
		file: "writeToStream.js",
		from: "const empty = Buffer.allocUnsafe(0)",
		to: "const empty = Object.freeze(Buffer.allocUnsafe(0))",
	},
	{ file: "writeToStream.js", from: "const zeroBuf = Buffer.from([0])", to: "" },
	{ file: "packet.js", from: /$/, to: "\nObject.freeze(Packet.prototype)\n" },
	{ file: "parser.js", from: /$/, to: "\nObject.freeze(Parser.prototype)\n" },
	{ file: "generate.js", from: /$/, to: "\nObject.freeze(Accumulator.prototype)\n" },
	// Payloads are plain Uint8Arrays on the device.
	{ file: "generate.js", from: "list[i].copy(result, pos)", to: "result.set(list[i], pos)" },
	// A device is a client, and speaks MQTT 3.1.1: MQTT 5 and what only servers send or read is left out, for the
	// same reason as above (a client must refuse such packets, and "Not supported" is what they get).
	{ file: "constants.js", from: /protocol\.properties = [\s\S]*?(?=function genHeader)/, to: "" },
	{ file: "constants.js", from: /protocol\.MQTT5_\w+ = [\s\S]*?\n\}\n/g, to: "" },
	{ file: "writeToStream.js", from: /(version|protocolVersion) === 5/gi, to: "false" },
	{ file: "writeToStream.js", from: /case '(connack|suback|unsuback|auth)':\n.*\n/g, to: "" },
	{ file: "writeToStream.js", from: /function connack [\s\S]*?(?=function publish )/, to: "" },
	{ file: "writeToStream.js", from: /function suback [\s\S]*?(?=function unsubscribe )/, to: "" },
	{ file: "writeToStream.js", from: /function unsuback [\s\S]*?(?=function emptyPacket )/, to: "" },
	{ file: "writeToStream.js", from: /function auth [\s\S]*?(?=\/\*\*\n \* writeVarByteInt)/, to: "" },
	{ file: "writeToStream.js", from: /function writeStringPair [\s\S]*?(?=\/\*\*)/, to: "" },
	{ file: "writeToStream.js", from: /function getProperties [\s\S]*?(?=function byteLength )/, to: "" },
	{ file: "parser.js", from: /this\.settings\.protocolVersion === 5/g, to: "false" },
	{ file: "parser.js", from: /case '(connect|subscribe|unsubscribe|auth)':\n.*\n\s*break\n/g, to: "" },
	{ file: "parser.js", from: / {2}_parseConnect \(\) [\s\S]*?(?= {2}_parseConnack \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parseSubscribe \(\) [\s\S]*?(?= {2}_parseSuback \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parseUnsubscribe \(\) [\s\S]*?(?= {2}_parseUnsuback \(\))/, to: "" },
	{ file: "parser.js", from: / {2}\/\/ parse auth packet[\s\S]*?(?= {2}_parseMessageId \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parseStringPair \(\) [\s\S]*?(?= {2}_parseNum \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parse4ByteNum \(\) [\s\S]*?(?= {2}_parseVarByteNum )/, to: "" },
	{ file: "parser.js", from: / {2}_parseByType [\s\S]*?(?= {2}_newPacket \(\))/, to: "" },
	// Arguments of debug() would be made only to be dropped.
	{ file: "writeToStream.js", from: /^\s*debug\(.*\)$/gm, to: "" },
	{ file: "parser.js", from: /^\s*debug\(.*\)$/gm, to: "" },
];
