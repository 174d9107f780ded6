// Files made by hand that claim much and hold little. Each has to end soon, in bounded memory.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateSync, gzipSync } from 'node:zlib'
import JSZip from 'jszip'
import sharp from 'sharp'
import {
  type Attribute,
  encodeOnnx,
  type Graph,
  type GraphFunction,
  type Node,
} from '../../src/graph/index.ts'
import { tensor } from '../../src/tensor/public.ts'
import { type Context, embedTexts, formats } from './formats.ts'

export interface Made {
  readonly name: string
  readonly make: (folder: string) => Promise<unknown>
  /** Name of the format whose use it is put to. */
  readonly format: string
  /** The file that is used, for formats that ask. */
  readonly file?: string
}

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))
const deep = (depth = 8000, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth)
const deepObject = (depth = 8000) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

/** A copy of a folder with a file replaced, or with some of its JSON. */
const changed =
  (from: string, file: string, change: Record<string, unknown> | string | Uint8Array) =>
  async (folder: string) => {
    await cp(source(from), folder, { recursive: true })
    const path = join(folder, file)
    const content =
      typeof change === 'string' || change instanceof Uint8Array
        ? change
        : JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change })
    await writeFile(path, content)
  }

const st = 'models/testdata/sentence-transformers'
const vision = (name: string) => `models/testdata/vision/${name}`

const configs: Made[] = [
  ...Object.entries({
    'layers 1e6': { num_hidden_layers: 1e6 },
    'layers 2^31': { num_hidden_layers: 2 ** 31 },
    'layers 1e308': { num_hidden_layers: 1e308 },
    'layers of text': { num_hidden_layers: '9'.repeat(5) },
    'hidden 2^31': { hidden_size: 2 ** 31 },
    'heads 2^31': { num_attention_heads: 2 ** 31 },
    'vocabulary 2^53': { vocab_size: 2 ** 53 },
    'positions 2^31': { max_position_embeddings: 2 ** 31 },
    'intermediate -1': { intermediate_size: -1 },
  }).map(
    ([name, change]): Made => ({
      name: `bert ${name}`,
      make: changed(st, 'config.json', change),
      format: 'sentence config',
    }),
  ),
  ...[
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'modules.json',
    'sentence_bert_config.json',
    '1_Pooling/config.json',
    'config_sentence_transformers.json',
  ].flatMap((file): Made[] => [
    { name: `${file} nested 8,000 deep`, make: changed(st, file, deep()), format: 'sentence config' },
    {
      name: `${file} nested 8,000 objects deep`,
      make: changed(st, file, deepObject()),
      format: 'sentence config',
    },
    {
      name: `${file} nested 1,000,000 deep`,
      make: changed(st, file, deep(1_000_000)),
      format: 'sentence config',
    },
  ]),
  ...['added_tokens', 'normalizer', 'pre_tokenizer', 'model', 'post_processor'].map(
    (key): Made => ({
      name: `tokenizer ${key} nested`,
      make: async (folder) => {
        await cp(source(st), folder, { recursive: true })
        const path = join(folder, 'tokenizer.json')
        const whole = JSON.parse(await readFile(path, 'utf8'))
        await writeFile(path, JSON.stringify({ ...whole, [key]: '@@' }).replace('"@@"', deepObject(20_000)))
      },
      format: 'sentence config',
    }),
  ),
  ...['config', 'hidden_act', 'architectures', 'quantization_config', 'rope_scaling'].map(
    (key): Made => ({
      name: `config ${key} nested`,
      make: async (folder) => {
        await cp(source(st), folder, { recursive: true })
        const path = join(folder, 'config.json')
        const whole = JSON.parse(await readFile(path, 'utf8'))
        await writeFile(path, JSON.stringify({ ...whole, [key]: '@@' }).replace('"@@"', deepObject(20_000)))
      },
      format: 'sentence config',
    }),
  ),
  ...[
    'vit',
    'convnextv2',
    'dinov2',
    'swin',
    'resnet50',
    'vit_reg4',
    'dino',
    'swin-transformers',
    'vit_mae',
    'dinov2_with_registers',
  ].flatMap((name) =>
    [
      { depth: 1e6, num_hidden_layers: 1e6, depths: [1e6, 1e6, 1e6, 1e6] },
      { num_hidden_layers: 2 ** 31, image_size: 2 ** 31, patch_size: 1, input_size: [3, 2 ** 31, 2 ** 31] },
      { image_size: 60_000, pretrained_cfg: { input_size: [3, 60_000, 60_000] } },
      { depths: Array.from({ length: 100_000 }, () => 1) },
      { num_channels: 2 ** 31, hidden_size: 2 ** 31, embed_dim: 2 ** 31 },
      ...[
        null,
        1,
        'x',
        [1],
        { depth: 1e6 },
        { embed_dim: 'x' },
        { layers: [1e6] },
        { num_heads: 0 },
        { patch_size: 0 },
        { img_size: 1e6 },
        { layers: 'x' },
        { block: 3 },
      ].map((model_args) => ({ model_args })),
      ...[
        {},
        0,
        'x',
        [],
        [3],
        { input_size: 'x' },
        { mean: 'x' },
        { interpolation: 4 },
        { crop_pct: 0 },
        { crop_pct: 1e-9 },
        { num_classes: 1e9 },
      ].map((pretrained_cfg) => ({ pretrained_cfg })),
    ].map(
      (change): Made => ({
        name: `${name} ${JSON.stringify(change).slice(0, 60)}`,
        make: changed(vision(name), 'config.json', change),
        format: 'vision vit',
      }),
    ),
  ),
]

/** A safetensors file with this header. */
function safetensors(header: string, rest = 0): Uint8Array {
  const text = new TextEncoder().encode(header)
  const out = new Uint8Array(8 + text.length + rest)
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true)
  out.set(text, 8)
  return out
}

const weights: Made[] = Object.entries({
  'header nested': safetensors(`{"a":${deep()}}`),
  'header of objects nested': safetensors(deepObject()),
  'header of 2^63': new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x7b]),
  'metadata nested': safetensors(`{"__metadata__":{"a":${deep()}}}`),
  'shape of 1e6 axes': safetensors(
    `{"a":{"dtype":"F32","shape":[${'1,'.repeat(1e6)}1],"data_offsets":[0,4]}}`,
    4,
  ),
  'shape of 2^53': safetensors(`{"a":{"dtype":"F32","shape":[9007199254740991,0],"data_offsets":[0,0]}}`),
}).map(([name, bytes]) => ({
  name: `safetensors ${name}`,
  make: changed(st, 'model.safetensors', bytes),
  format: 'safetensors',
}))

/** A pickle in the zip form of torch.save, as entries that are stored. */
async function torchZip(pickle: Uint8Array): Promise<Uint8Array> {
  const zip = new JSZip()
  zip.file('archive/data.pkl', pickle, { compression: 'STORE' })
  zip.file('archive/version', '3\n', { compression: 'STORE' })
  zip.file('archive/data/0', new Uint8Array(16), { compression: 'STORE' })
  return zip.generateAsync({ type: 'uint8array', compression: 'STORE' })
}

const bytes = (...parts: (string | number | readonly number[])[]) =>
  new Uint8Array(
    Buffer.concat(
      parts.map((part) =>
        typeof part === 'string'
          ? Buffer.from(part, 'latin1')
          : Buffer.from(typeof part === 'number' ? [part] : part),
      ),
    ),
  )
const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255]
const name = (text: string) =>
  `c${text.slice(0, text.lastIndexOf('.'))}\n${text.slice(text.lastIndexOf('.') + 1)}\n`

const pickles: Record<string, () => Uint8Array> = {
  'laughs of tuples': () => bytes([0x80, 2], '(t', '2\x86'.repeat(1000)),
  'laughs as keys': () => bytes([0x80, 2], '}', '(t', '2\x86'.repeat(1000), 'K\u0001s'),
  'integer of 1 MB': () => bytes([0x80, 2], [0x8b, ...u32(1 << 20)], '\x7f'.repeat(1 << 20)),
  'lists of lists': () => bytes([0x80, 2], ']'.repeat(200_000), 'a'.repeat(199_999)),
  'tuples nested': () => bytes([0x80, 2], ')', '\x85'.repeat(200_000)),
  marks: () => bytes([0x80, 2], '('.repeat(300_000), 'l'.repeat(100_000)),
  'a list in itself': () => bytes([0x80, 2], ']', 'q\0', 'h\0a'),
  'a dictionary in itself': () => bytes([0x80, 2], '}', 'q\0', 'X\u0001\0\0\0ah\0s'),
  'rebuild in itself': () =>
    bytes(
      [0x80, 2],
      name('torch._tensor._rebuild_from_type_v2'),
      'q\0](q\u0001h\0',
      name('torch.Tensor'),
      'h\u0001e0h\0h\u0001R',
    ),
  'dictionaries from one list': () =>
    bytes(
      [0x80, 2],
      '](',
      'K\u0001K\u0002\x86'.repeat(20_000),
      'eq\0',
      `${name('collections.OrderedDict')}h\0\x85R0`.repeat(10_000),
    ),
  'dictionaries of one dictionary': () =>
    bytes(
      [0x80, 2],
      '}(',
      'K\u0001K\u0002'.repeat(20_000),
      'uq\0',
      `${name('collections.OrderedDict')}h\0\x85R0`.repeat(10_000),
    ),
  'many names': () => bytes([0x80, 2], `${name('collections.OrderedDict')}0`.repeat(100_000)),
}

const ended = (pickle: Uint8Array) => new Uint8Array(Buffer.concat([pickle, Buffer.from('.')]))

const checkpoints: Made[] = [
  ...Object.entries(pickles).flatMap(([name, pickle]): Made[] => [
    {
      name: `pickle ${name} (zip)`,
      make: async (folder) => writeFile(join(folder, 'a.pt'), await torchZip(ended(pickle()))),
      format: 'pickle',
      file: 'a.pt',
    },
    {
      name: `pickle ${name} (old)`,
      make: (folder) => writeFile(join(folder, 'a.pt'), ended(pickle())),
      format: 'pickle',
      file: 'a.pt',
    },
  ]),
]

// Graphs of ONNX.
const int = (value: number): Attribute => ({ type: 'int', value })
const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, Attribute> = {},
  domain = '',
): Node => ({ name: `${op}_${outputs[0]}`, op, domain, inputs, outputs, attributes })
const float = (name: string, shape: (number | string)[]) => ({
  name,
  type: { kind: 'tensor' as const, dtype: 'float32' as const, shape },
})
const graph = (parts: Partial<Graph>): Graph => ({
  name: 'made',
  inputs: [float('x', ['batch', 4])],
  outputs: [float('y', ['batch', 4])],
  nodes: [],
  initializers: new Map(),
  sparseInitializers: new Map(),
  values: new Map(),
  opsets: new Map([
    ['', 17],
    ['f', 1],
  ]),
  functions: [],
  metadata: new Map(),
  irVersion: 8,
  ...parts,
})
const fn = (name: string, nodes: Node[]): GraphFunction => ({
  name,
  domain: 'f',
  inputs: ['x'],
  outputs: ['y'],
  attributes: [],
  defaults: {},
  nodes,
  opsets: new Map([
    ['', 17],
    ['f', 1],
  ]),
  values: new Map(),
})
const constant = (name: string, dtype: 'int64' | 'float32', values: number[], shape = [values.length]) =>
  [name, tensor(dtype, shape, values)] as const

/** y = x + (what the nodes make of constants, summed up to one number). */
const folding = (
  nodes: Node[],
  constants: readonly (readonly [string, ReturnType<typeof tensor>])[],
  last: string,
) =>
  graph({
    nodes: [
      ...nodes,
      node('ReduceMax', [last], ['most'], { keepdims: int(0) }),
      node('Add', ['x', 'most'], ['y']),
    ],
    initializers: new Map(constants),
  })

let inner = graph({
  name: 'inner',
  inputs: [],
  outputs: [float('deep', [4])],
  nodes: [node('Identity', ['x'], ['deep'])],
})
for (let i = 0; i < 60; i++) {
  const body = { type: 'graph', value: { ...inner, name: `b${i}` } } as const
  inner = graph({
    name: 'inner',
    inputs: [],
    outputs: [float(`deep${i}`, [4])],
    nodes: [node('If', ['yes'], [`deep${i}`], { then_branch: body, else_branch: body })].slice(
      0,
      i > 14 ? 0 : 1,
    ),
  })
}

const graphs: Record<string, () => Graph> = {
  'a function that calls itself': () =>
    graph({
      nodes: [node('F', ['x'], ['y'], {}, 'f')],
      functions: [fn('F', [node('F', ['x'], ['y'], {}, 'f')])],
    }),
  'two functions that call each other': () =>
    graph({
      nodes: [node('F', ['x'], ['y'], {}, 'f')],
      functions: [fn('F', [node('G', ['x'], ['y'], {}, 'f')]), fn('G', [node('F', ['x'], ['y'], {}, 'f')])],
    }),
  'a function that calls itself in a branch': () =>
    graph({
      nodes: [node('F', ['x'], ['y'], {}, 'f')],
      functions: [
        fn('F', [
          node('ReduceMax', ['x'], ['m'], { keepdims: int(0) }),
          node('Cast', ['m'], ['b'], { to: int(9) }),
          node(
            'If',
            ['b'],
            ['y'],
            Object.fromEntries(
              ['then_branch', 'else_branch'].map((key) => [
                key,
                {
                  type: 'graph',
                  value: graph({
                    name: key,
                    inputs: [],
                    outputs: [float('z', [4])],
                    nodes: [node('F', ['x'], ['z'], {}, 'f')],
                  }),
                } as const,
              ]),
            ),
          ),
        ]),
      ],
    }),
  'functions nested 2^40': () =>
    graph({
      nodes: [node('F39', ['x'], ['y'], {}, 'f')],
      functions: Array.from({ length: 40 }, (_, i) =>
        fn(
          `F${i}`,
          i === 0
            ? [node('Neg', ['x'], ['y'])]
            : [node(`F${i - 1}`, ['x'], ['z'], {}, 'f'), node(`F${i - 1}`, ['z'], ['y'], {}, 'f')],
        ),
      ),
    }),
  'functions nested 5,000 deep': () =>
    graph({
      nodes: [node('F4999', ['x'], ['y'], {}, 'f')],
      functions: Array.from({ length: 5000 }, (_, i) =>
        fn(`F${i}`, [i === 0 ? node('Neg', ['x'], ['y']) : node(`F${i - 1}`, ['x'], ['y'], {}, 'f')]),
      ),
    }),
  '100,000 nodes': () =>
    graph({
      nodes: Array.from({ length: 100_000 }, (_, i) =>
        node('Neg', [i ? `n${i - 1}` : 'x'], [i === 99_999 ? 'y' : `n${i}`]),
      ),
    }),
  '100,000 nodes of shapes': () =>
    graph({
      nodes: Array.from({ length: 100_000 }, (_, i) =>
        node(i % 2 ? 'ConstantOfShape' : 'Shape', [i ? `n${i - 1}` : 'x'], [i === 99_999 ? 'y' : `n${i}`]),
      ),
    }),
  '100,000 calls of 3,000 functions': () =>
    graph({
      nodes: Array.from({ length: 100_000 }, (_, i) =>
        node(`F${i % 3000}`, [i ? `n${i - 1}` : 'x'], [i === 99_999 ? 'y' : `n${i}`], {}, 'f'),
      ),
      functions: Array.from({ length: 3000 }, (_, i) => fn(`F${i}`, [node('Neg', ['x'], ['y'])])),
    }),
  'doubling of symbols': () =>
    graph({
      nodes: Array.from({ length: 200 }, (_, i) =>
        node('Concat', [i ? `n${i - 1}` : 'x', i ? `n${i - 1}` : 'x'], [i === 199 ? 'y' : `n${i}`], {
          axis: int(0),
        }),
      ),
    }),
  'products of symbols': () =>
    graph({
      inputs: [float('x', ['a', 'b', 'c', 'd'])],
      nodes: [
        node('Shape', ['x'], ['s']),
        ...Array.from({ length: 60 }, (_, i) =>
          node('Mul', [i ? `n${i - 1}` : 's', i ? `n${i - 1}` : 's'], [`n${i}`]),
        ),
        node('Expand', ['x', 'n59'], ['y']),
      ],
    }),
  'sums of symbols, multiplied': () =>
    graph({
      inputs: [float('x', ['a', 'b', 'c', 'd'])],
      nodes: [
        node('Shape', ['x'], ['s']),
        node('ReduceSum', ['s'], ['n'], { keepdims: int(1) }),
        ...Array.from({ length: 30 }, (_, i) => node('Mul', [i ? `m${i - 1}` : 'n', 'n'], [`m${i}`])),
        node('ConstantOfShape', ['m29'], ['y']),
      ],
    }),
  'branches nested 2^15': () =>
    graph({
      nodes: [
        node('ReduceMax', ['x'], ['m'], { keepdims: int(0) }),
        node('Cast', ['m'], ['yes'], { to: int(9) }),
        ...inner.nodes,
        node('Identity', ['x'], ['y']),
      ],
    }),
  'ConstantOfShape of 2^34': () =>
    folding([node('ConstantOfShape', ['s'], ['c'])], [constant('s', 'int64', [2 ** 17, 2 ** 17])], 'c'),
  'ConstantOfShape of 2^62': () =>
    folding([node('ConstantOfShape', ['s'], ['c'])], [constant('s', 'int64', [2 ** 31, 2 ** 31])], 'c'),
  'ConstantOfShape of 2^30': () =>
    folding([node('ConstantOfShape', ['s'], ['c'])], [constant('s', 'int64', [2 ** 15, 2 ** 15])], 'c'),
  'Range of 2^31': () =>
    folding(
      [node('Range', ['a', 'b', 'c'], ['r'])],
      [
        constant('a', 'float32', [0], []),
        constant('b', 'float32', [2 ** 31], []),
        constant('c', 'float32', [1], []),
      ],
      'r',
    ),
  'Range by 1e-30': () =>
    folding(
      [node('Range', ['a', 'b', 'c'], ['r'])],
      [
        constant('a', 'float32', [0], []),
        constant('b', 'float32', [1], []),
        constant('c', 'float32', [1e-30], []),
      ],
      'r',
    ),
  'Expand to 2^31': () =>
    folding(
      [node('Expand', ['a', 's'], ['e'])],
      [constant('a', 'float32', [1], [1]), constant('s', 'int64', [2 ** 31])],
      'e',
    ),
  'Tile by 2^31': () =>
    folding(
      [node('Tile', ['a', 's'], ['t'])],
      [constant('a', 'float32', [1], [1]), constant('s', 'int64', [2 ** 31])],
      't',
    ),
  'Pad by 2^31': () =>
    folding(
      [node('Pad', ['a', 's'], ['p'])],
      [constant('a', 'float32', [1], [1]), constant('s', 'int64', [0, 2 ** 31])],
      'p',
    ),
  'Tile by 2, 40 times': () =>
    folding(
      Array.from({ length: 40 }, (_, i) => node('Tile', [i ? `t${i - 1}` : 'a', 's'], [`t${i}`])),
      [constant('a', 'float32', [1], [1]), constant('s', 'int64', [2])],
      't39',
    ),
  'OneHot of 2^31': () =>
    folding(
      [node('OneHot', ['a', 'd', 'v'], ['o'])],
      [
        constant('a', 'int64', [1], [1]),
        constant('d', 'int64', [2 ** 31], []),
        constant('v', 'float32', [0, 1]),
      ],
      'o',
    ),
  'Loop of 2^40': () =>
    folding(
      [
        node('Loop', ['n', '', 'a'], ['l'], {
          body: {
            type: 'graph',
            value: graph({
              name: 'body',
              inputs: [
                { name: 'i', type: { kind: 'tensor', dtype: 'int64', shape: [] } },
                { name: 'c', type: { kind: 'tensor', dtype: 'bool', shape: [] } },
                float('v', [1]),
              ],
              outputs: [{ name: 'd', type: { kind: 'tensor', dtype: 'bool', shape: [] } }, float('w', [1])],
              nodes: [node('Identity', ['c'], ['d']), node('Neg', ['v'], ['w'])],
            }),
          },
        }),
      ],
      [constant('n', 'int64', [2 ** 40], []), constant('a', 'float32', [1], [1])],
      'l',
    ),
  'MatMul of expanded': () =>
    folding(
      [node('Expand', ['a', 's'], ['e']), node('MatMul', ['e', 'e'], ['m'])],
      [constant('a', 'float32', [1], [1, 1]), constant('s', 'int64', [16_000, 16_000])],
      'm',
    ),
  'Resize to 2^31': () =>
    graph({
      inputs: [float('x', [1, 1, 1, 4])],
      outputs: [float('y', [1, 1, 1, 'n'])],
      nodes: [node('Resize', ['x', '', '', 's'], ['y'])],
      initializers: new Map([constant('s', 'int64', [1, 1, 2 ** 20, 2 ** 20])]),
    }),
}

const onnx: Made[] = Object.entries(graphs).flatMap(([name, made]): Made[] => [
  {
    name: `onnx ${name}`,
    make: (folder) => writeFile(join(folder, 'a.onnx'), encodeOnnx(made())),
    format: 'onnx',
    file: 'a.onnx',
  },
  {
    name: `onnx ${name}, as tensors`,
    make: (folder) => writeFile(join(folder, 'a.onnx'), encodeOnnx(made())),
    format: 'onnx tensors',
    file: 'a.onnx',
  },
])

// Pictures.
function png(
  width: number,
  height: number,
  { depth = 8, colour = 2, interlaced = 0, rows = height, bytesOf = 0 } = {},
): Uint8Array {
  const chunk = (kind: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(kind), data])
    const out = Buffer.alloc(8 + body.length)
    out.writeUInt32BE(data.length)
    body.copy(out, 4)
    out.writeUInt32BE(crc(body), 4 + body.length)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width)
  head.writeUInt32BE(height, 4)
  head.set([depth, colour, 0, 0, interlaced], 8)
  const size = bytesOf || Math.ceil((width * (colour === 2 ? 3 : 1) * depth) / 8) + 1
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
      chunk('IHDR', head),
      chunk('IDAT', deflateSync(Buffer.alloc(size * rows), { level: 9 })),
      chunk('IEND', Buffer.alloc(0)),
    ]),
  )
}

function crc(data: Uint8Array): number {
  let value = 0xffff_ffff
  for (const byte of data) {
    value ^= byte
    for (let i = 0; i < 8; i++) value = (value >>> 1) ^ (value & 1 ? 0xedb8_8320 : 0)
  }
  return (value ^ 0xffff_ffff) >>> 0
}

const svgOf = (inside: string, size = 'width="40" height="30"') =>
  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${size}>${inside}</svg>`

const pictures: Record<string, () => Promise<Uint8Array | string> | Uint8Array | string> = {
  'a.png 16,000,000 × 16': () => png(16_000_000, 16),
  'b.png 16,000,000 × 16, one row': () => png(16_000_000, 16, { rows: 1 }),
  'c.png 16 × 16,000,000': () => png(16, 16_000_000, { rows: 1000 }),
  'd.png interlaced, 16 bits, 16,000 × 16,000': () =>
    png(16_000, 16_000, { depth: 16, interlaced: 1, rows: 10 }),
  'd2.png interlaced, 16 bits, 12,000 × 12,000, whole': () =>
    png(12_000, 12_000, { depth: 16, interlaced: 1, rows: 12_010 }),
  'e.png 60,000 × 60,000': () => png(60_000, 60_000, { rows: 1 }),
  'f.png 2^31': () => png(2 ** 31 - 1, 2 ** 31 - 1, { rows: 1, bytesOf: 100 }),
  'a.svg path of 5 MB': () =>
    svgOf(
      `<path d="M0 0 ${Array.from({ length: 400_000 }, (_, i) => `L${(i * 7919) % 40} ${(i * 104_729) % 30}`).join(' ')}" stroke="#000"/>`,
    ),
  'a2.svg curve of 5 MB, dashed': () =>
    svgOf(
      `<path stroke-dasharray="0.001 0.001" stroke-width="0.1" fill="none" d="M0 0 ${Array.from({ length: 100_000 }, (_, i) => `C${i % 40} ${i % 30} ${(i * 3) % 40} ${i % 7} ${(i * 7) % 40} ${(i * 11) % 30}`).join(' ')}" stroke="#000"/>`,
    ),
  'b.svg of 100,000 nested elements': () => svgOf('<g>'.repeat(100_000) + '</g>'.repeat(100_000)),
  'b2.svg of 1,000 nested opacities': () =>
    svgOf(
      `${'<g opacity="0.9">'.repeat(200)}<rect width="9" height="9"/>${'</g>'.repeat(200)}`,
      'width="10000" height="10000"',
    ),
  'c.svg of 100,000 elements': () => svgOf('<rect width="9" height="9" opacity="0.5"/>'.repeat(100_000)),
  'd.svg of laughs': () =>
    `<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 20 }, (_, i) => `<!ENTITY a${i} "${`&a${i ? i - 1 : ''};`.repeat(10)}">`).join('')}]>${svgOf('<text>&a19;</text>')}`,
  'e.svg of uses': () =>
    svgOf(
      `<defs><g id="a0"><rect width="1" height="1"/></g>${Array.from({ length: 30 }, (_, i) => `<g id="a${i + 1}">${`<use xlink:href="#a${i}"/>`.repeat(10)}</g>`).join('')}</defs><use xlink:href="#a30"/>`,
    ),
  'f.svg of a size of 1e9': () =>
    svgOf('<rect width="9" height="9"/>', 'width="1000000000" height="1000000000"'),
  'g.svg blurred': () =>
    svgOf(
      '<filter id="f" x="-1" y="-1" width="3" height="3"><feGaussianBlur stdDeviation="5000"/><feMorphology radius="5000"/><feTurbulence numOctaves="1000"/><feConvolveMatrix order="200" kernelMatrix="1"/></filter><rect width="9999" height="9999" filter="url(#f)"/>',
      'width="9999" height="9999"',
    ),
  'h.svg of a file': () => svgOf('<image xlink:href="file:///etc/passwd" width="9" height="9"/>'),
  'i.svg of patterns': () =>
    svgOf(
      `<defs>${Array.from({ length: 12 }, (_, i) => `<pattern id="p${i}" width="0.01" height="0.01"><rect width="9" height="9" fill="${i ? `url(#p${i - 1})` : '#000'}"/></pattern>`).join('')}</defs><rect width="40" height="30" fill="url(#p11)"/>`,
    ),
  'j.svg of turbulence': () =>
    svgOf(
      `<filter id="f">${'<feTurbulence numOctaves="100" baseFrequency=".1"/>'.repeat(50)}</filter><rect width="999" height="999" filter="url(#f)"/>`,
      'width="1000" height="1000"',
    ),
  'k.svg of results that are kept': () =>
    svgOf(
      `<filter id="f">${Array.from({ length: 500 }, (_, i) => `<feFlood flood-color="red" result="r${i}"/>`).join('')}</filter><rect width="9999" height="9999" filter="url(#f)"/>`,
      'width="9999" height="9999"',
    ),
  'a.gif of 65,535 × 65,535': () =>
    Buffer.from(
      'GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;',
      'latin1',
    ),
  'b.gif of 100,000 frames': () =>
    Buffer.concat([
      Buffer.from('GIF89a\x10\x27\x10\x27\x80\0\0\0\0\0\xff\xff\xff', 'latin1'),
      ...Array.from({ length: 100_000 }, () =>
        Buffer.from(',\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0', 'latin1'),
      ),
      Buffer.from(';'),
    ]),
  'c.gif of a frame outside': () =>
    Buffer.from(
      'GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\xff\xff\xff\xff\xff\xff\xff\xff\0\x02\x02D\x01\0;',
      'latin1',
    ),
  'a.webp of 16,383 × 16,383': () =>
    sharp({ create: { width: 16_383, height: 4000, channels: 3, background: '#123' } })
      .webp({ lossless: true, effort: 0 })
      .toBuffer(),
  'a.tif of 1,000,000 directories': () => tiffDirectories(200_000),
  'b.tif in a circle': () => tiffDirectories(2, true),
  'c.tif of 2^31': () => tiff({ width: 2 ** 31 - 1, height: 2 ** 31 - 1 }),
  'd.tif of 16,000 × 16,000 of 64 bits': () => tiff({ width: 16_000, height: 16_000, bits: 64 }),
  'e.tif of 65,535 samples': () => tiff({ width: 10_000, height: 10_000, samples: 65_535 }),
  'f.tif of one strip of 100,000 rows, packed': () =>
    tiff({ width: 16_000, height: 16_000, compression: 32_773 }),
  'a.bmp of 60,000 × 60,000': () => bmp(60_000, 60_000),
  'b.bmp of -2^31': () => bmp(1, -(2 ** 31)),
  'c.bmp of 16,000 × 16,000 in run lengths': () => bmp(16_000, 16_000, 1),
  'd.bmp of 2^31 colours': () => bmp(4, 4, 0, 2 ** 31),
  'a.ico of 60,000': () =>
    Buffer.concat([Buffer.from([0, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(16 * 0xffff, 22)]),
  'a.tga of 60,000 × 60,000': () => Buffer.concat([tga(60_000, 60_000, 10), Buffer.alloc(100, 0xff)]),
  'b.tga of 16,000 × 16,000': () => Buffer.concat([tga(16_000, 16_000, 10), Buffer.alloc(100, 0xff)]),
  'a.qoi of 60,000 × 60,000': () => qoi(60_000, 60_000),
  'b.qoi of 16,000 × 16,000': () => qoi(16_000, 16_000),
  'a.j2k of 60,000 × 60,000': () => jpeg2000(60_000, 60_000),
  'b.j2k of 9,000 × 9,000': () => jpeg2000(9000, 9000),
  'c.j2k of 65,025 tiles': () => jpeg2000(2550, 2550, 10),
  'd.j2k of 10,000 × 10,000 tiles': () => jpeg2000(10_000, 10_000, 1),
  'a.ppm of 60,000 × 60,000': () => 'P6 60000 60000 255\nabc',
  'b.ppm of 16,000 × 16,000': () => 'P6 16000 16000 255\nabc',
  'c.ppm in digits': () => `P3 16000 16000 255\n${'1 '.repeat(1000)}`,
  'd.pbm of 16,000 × 16,000': () => `P1 16000 16000\n${' '.repeat(1000)}`,
  'a.jpg of 65,500 × 65,500': async () => {
    const small = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123' } })
      .jpeg()
      .toBuffer()
    const at = small.indexOf(Buffer.from([0xff, 0xc0]))
    small.writeUInt16BE(65_500, at + 5)
    small.writeUInt16BE(65_500, at + 7)
    return small
  },
  'b.jpg progressive of 16,000 × 16,000 and 1,000 scans': async () => {
    const small = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123' } })
      .jpeg({ progressive: true })
      .toBuffer()
    const at = small.indexOf(Buffer.from([0xff, 0xc2]))
    small.writeUInt16BE(16_000, at + 5)
    small.writeUInt16BE(16_000, at + 7)
    const scan = small.indexOf(Buffer.from([0xff, 0xda]))
    const rest = small.subarray(scan, -2)
    return Buffer.concat([
      small.subarray(0, scan),
      ...Array.from({ length: 1000 }, () => rest),
      small.subarray(-2),
    ])
  },
}

function tiff({ width = 1, height = 1, bits = 8, samples = 3, compression = 1 }): Uint8Array {
  const entries = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, bits],
    [259, 3, compression],
    [262, 3, 2],
    [273, 4, 8],
    [277, 3, samples],
    [278, 4, height],
    [279, 4, 100],
  ]
  const out = Buffer.alloc(8 + 100 + 2 + entries.length * 12 + 4, 0)
  out.write('II*\0', 0, 'latin1')
  out.writeUInt32LE(108, 4)
  out.writeUInt16LE(entries.length, 108)
  for (const [i, [tag, type, value]] of entries.entries()) {
    out.writeUInt16LE(tag!, 110 + 12 * i)
    out.writeUInt16LE(type!, 112 + 12 * i)
    out.writeUInt32LE(1, 114 + 12 * i)
    out.writeUInt32LE(value! >>> 0, 118 + 12 * i)
  }
  return out
}

function tiffDirectories(count: number, circle = false): Uint8Array {
  const out = Buffer.alloc(8 + count * 54, 0)
  out.write('II*\0', 0, 'latin1')
  out.writeUInt32LE(8, 4)
  for (let i = 0; i < count; i++) {
    const at = 8 + 54 * i
    out.writeUInt16LE(4, at)
    for (const [j, [tag, type, value]] of [
      [256, 4, 1],
      [257, 4, 1],
      [273, 4, 8],
      [279, 4, 1],
    ].entries()) {
      out.writeUInt16LE(tag!, at + 2 + 12 * j)
      out.writeUInt16LE(type!, at + 4 + 12 * j)
      out.writeUInt32LE(1, at + 6 + 12 * j)
      out.writeUInt32LE(value!, at + 10 + 12 * j)
    }
    out.writeUInt32LE(i + 1 < count ? at + 54 : circle ? 8 : 0, at + 50)
  }
  return out
}

function bmp(width: number, height: number, compression = 0, colours = 0): Uint8Array {
  const out = Buffer.alloc(154, 1)
  out.write('BM')
  out.fill(0, 2, 54)
  out.writeUInt32LE(54, 10)
  out.writeUInt32LE(40, 14)
  out.writeInt32LE(width, 18)
  out.writeInt32LE(height, 22)
  out.writeUInt16LE(1, 26)
  out.writeUInt16LE(compression ? 8 : 24, 28)
  out.writeUInt32LE(compression, 30)
  out.writeUInt32LE(colours, 46)
  return out
}

function tga(width: number, height: number, kind: number): Uint8Array {
  const out = Buffer.alloc(18)
  out[2] = kind
  out.writeUInt16LE(width, 12)
  out.writeUInt16LE(height, 14)
  out[16] = 24
  return out
}

function qoi(width: number, height: number): Uint8Array {
  const out = Buffer.alloc(34, 0xfd)
  out.write('qoif')
  out.writeUInt32BE(width, 4)
  out.writeUInt32BE(height, 8)
  out.set([3, 0], 12)
  return out
}

/** The picture of 22 × 18 that Pillow wrote, of another size and other tiles. */
async function jpeg2000(width: number, height: number, tile = width): Promise<Uint8Array> {
  const { read } = JSON.parse(
    await readFile(new URL('../../src/embed/pictures/testdata/jpeg2000.json', import.meta.url), 'utf8'),
  )
  const out = Buffer.from(read['rgb.j2k'].file, 'base64')
  for (const [i, word] of [width, height, 0, 0, tile, tile, 0, 0].entries())
    out.writeUInt32BE(word, 8 + 4 * i)
  return out
}

const decoded: Made[] = Object.entries(pictures).map(([name, made]) => {
  const file = name.split(' ')[0]!
  return {
    name: `picture ${name}`,
    make: async (folder) => writeFile(join(folder, file), await made()),
    format: 'png',
    file,
  }
})

// Files of text.
const docx = async (document: string | Uint8Array, extra: Record<string, string | Uint8Array> = {}) => {
  const zip = await JSZip.loadAsync(await readFile(source('embed/inputs/passages/testdata/birds.docx')))
  zip.file('word/document.xml', document)
  for (const [name, content] of Object.entries(extra)) zip.file(name, content)
  return zip.generateAsync({ type: 'uint8array', compression: 'DEFLATE', compressionOptions: { level: 9 } })
}
const W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'

const pdf = (stream: Uint8Array, filters: string, more = '') => {
  const parts = [
    '%PDF-1.4\n',
    '1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n',
    `2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1${more}>>endobj\n`,
    '3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n',
    `4 0 obj<</Length ${stream.length}/Filter[${filters}]>>stream\n`,
    stream,
    '\nendstream endobj\n5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF',
  ]
  return Buffer.concat(parts.map((part) => Buffer.from(part as never)))
}

const big = 1 << 30
const zeros = () => Buffer.alloc(64 << 20)

const texts: Record<string, () => Promise<Uint8Array | string> | Uint8Array | string> = {
  'a.txt.gz of 1 GiB': async () => gzipSync(Buffer.alloc(big, 'a bird sings\n')),
  'a.txt.gz of one line of 400 MB': () => gzipSync(Buffer.alloc(400 << 20, 'a bird sings ')),
  'a.html.gz of 256 MiB': () => gzipSync(Buffer.alloc(big / 4, '<p>a bird</p>')),
  'a.html nested 100,000 deep': () => `${'<div>'.repeat(100_000)}a bird`,
  'a.html nested 100,000 lists deep': () => `${'<ul><li>'.repeat(100_000)}a bird`,
  'a.html nested 100,000 tables deep': () => `${'<table><tr><td>'.repeat(100_000)}a bird`,
  'a.html of attributes': () => `<p ${'a="b" '.repeat(500_000)}>a bird</p>`,
  'a.html of one tag': () => `<p ${'<'.repeat(3_000_000)}`,
  'a.md of quotes': () => `${'>'.repeat(100_000)} a bird`,
  'a.md of brackets': () => '['.repeat(200_000),
  'a.md of stars': () => '**a '.repeat(100_000),
  'a.md of lists nested': () =>
    Array.from({ length: 3000 }, (_, i) => `${'  '.repeat(i)}- a bird`).join('\n'),
  'a.md of backticks': () => Array.from({ length: 2000 }, (_, i) => `${'`'.repeat(i)} a`).join(' '),
  'a.md of links': () => '[a](<b'.repeat(100_000),
  'a.md of tables': () => `${'|a'.repeat(20_000)}|\n${'|-'.repeat(20_000)}|\n${'|'.repeat(20_000)}\n`,
  'a.md of comments': () => '<!--'.repeat(200_000),
  'a.md of entities': () => '&'.repeat(1_000_000),
  'a.ts of brackets': () => '('.repeat(200_000),
  'a.ts of templates': () => '`${'.repeat(100_000),
  'a.ts of generics': () => 'a<'.repeat(100_000),
  'a.py of indents': () => Array.from({ length: 3000 }, (_, i) => `${' '.repeat(i)}if a:`).join('\n'),
  'a.cpp of templates': () => 'template<'.repeat(100_000),
  'a.java of classes': () => 'class A {'.repeat(50_000),
  'a.go of functions': () => 'func a() {'.repeat(50_000),
  'a.rs of generics': () => 'fn a<'.repeat(50_000),
  'a.csv of one quote': () => `id,text\n1,"${'a'.repeat(20_000_000)}`,
  'a.csv of 1,000,000 columns': () => `${'a,'.repeat(1_000_000)}b\n${'1,'.repeat(1_000_000)}2\n`,
  'a.csv of 1,000,000 empty rows': () => `id,text\n${'\n'.repeat(5_000_000)}`,
  'a.jsonl nested': () => `${deep()}\n${deepObject()}\n{"text":${deep()}}\n{"text":${deepObject()}}`,
  'a.jsonl nested 1,000,000': () => `{"text":${deep(1_000_000)}}`,
  'a.docx of 1 GiB': async () =>
    docx(
      `<w:document ${W}><w:body><w:p><w:r><w:t>${' '.repeat(400 << 20)}</w:t></w:r></w:p></w:body></w:document>`,
    ),
  'a.docx of 200 MB beside': () =>
    docx(`<w:document ${W}><w:body><w:p><w:r><w:t>owl</w:t></w:r></w:p></w:body></w:document>`, {
      'word/media/a.bin': zeros(),
    }),
  'a.docx nested 10,000': () =>
    docx(
      `<w:document ${W}><w:body>${'<w:tbl><w:tr><w:tc>'.repeat(10_000)}<w:p/>${'</w:tc></w:tr></w:tbl>'.repeat(10_000)}</w:body></w:document>`,
    ),
  'a.docx of laughs': () =>
    docx(
      `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 20 }, (_, i) => `<!ENTITY a${i} "${`&a${i ? i - 1 : ''};`.repeat(10)}">`).join('')}]><w:document ${W}><w:body><w:p><w:r><w:t>&a19;</w:t></w:r></w:p></w:body></w:document>`,
    ),
  'a.docx of 1,000,000 paragraphs': () =>
    docx(
      `<w:document ${W}><w:body>${'<w:p><w:r><w:t>owl</w:t></w:r></w:p>'.repeat(1_000_000)}</w:body></w:document>`,
    ),
  'a.pdf of 1 GiB': () => pdf(deflateSync(Buffer.alloc(big, 'BT /F 9 Tf (owl) Tj ET\n')), '/FlateDecode'),
  'a.pdf of 1 GiB twice packed': () =>
    pdf(deflateSync(deflateSync(Buffer.alloc(big))), '/FlateDecode/FlateDecode'),
  'a.pdf of 2,000,000 pages': () => pdf(Buffer.from(''), '', '/Count 2000000'),
  'a.pdf of pages in a circle': () =>
    Buffer.from(
      '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 1000000>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF',
    ),
  'a.pdf nested': () =>
    Buffer.from(
      `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/A ${'['.repeat(100_000)}>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF`,
    ),
  'a.txt of one word of 20 MB': () => 'a'.repeat(20_000_000),
  'a.txt of 5,000,000 lines': () => 'a\n'.repeat(5_000_000),
}

const written: Made[] = Object.entries(texts).map(([name, made]) => {
  const file = name.split(' ')[0]!
  return { name, make: async (folder) => writeFile(join(folder, file), await made()), format: 'txt', file }
})

const npyHead = (shape: string, descr = '<f4') => {
  const head = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`
  const padded = `${head.padEnd(117, ' ')}\n`
  return bytes([0x93], 'NUMPY', [1, 0, padded.length & 255, padded.length >> 8], padded)
}

const arrays: Made[] = Object.entries({
  '2^31': npyHead('(2147483648, 2147483648)'),
  '0 × 2^53': npyHead('(0, 9007199254740993)'),
  negative: npyHead('(-1,)'),
  'text of 2^31': npyHead('(4,)', '<U2147483647'),
  fortran: bytes([0x93], 'NUMPY', [2, 0, 0xff, 0xff, 0xff, 0x7f], '{'),
  'many axes': npyHead(`(${'1,'.repeat(40)})`),
}).map(([name, content]) => ({
  name: `npy ${name}`,
  make: (folder) => writeFile(join(folder, 'a.npy'), content),
  format: 'npy',
  file: 'a.npy',
}))

const tfjs: Made[] = [
  {
    name: 'tfjs nested',
    make: changed('models/formats/tfjs/testdata/layers', 'model.json', deepObject()),
    format: 'tfjs layers',
  },
  {
    name: 'tfjs graph nested',
    make: changed(
      'models/formats/tfjs/testdata/graph',
      'model.json',
      `{"modelTopology":${deepObject()},"weightsManifest":[]}`,
    ),
    format: 'tfjs graph',
  },
  {
    name: 'tfjs weights nested',
    make: changed('models/formats/tfjs/testdata/graph', 'model.json', {
      weightsManifest: [
        { paths: ['weights.bin'], weights: [{ name: 'a', shape: [2 ** 31, 2 ** 31], dtype: 'float32' }] },
      ],
    }),
    format: 'tfjs graph',
  },
  {
    name: 'tfjs config nested',
    make: async (folder) => {
      await cp(source('models/testdata/vision/vit'), folder, { recursive: true }).catch(() => {})
      await cp(source('models/formats/tfjs/testdata/layers'), folder, { recursive: true })
      const path = join(folder, 'model.json')
      const text = await readFile(path, 'utf8')
      await writeFile(path, text.replace(/"config":\s*\{/, `"config":{"deep":${deepObject(20_000)},`))
    },
    format: 'tfjs layers',
  },
]

const asData: Made[] = ['recipe', 'card'].flatMap((format): Made[] =>
  ['[', '{'].map((kind) => ({
    name: `${format} nested ${kind}`,
    async make(folder) {
      await formats.find(({ name }) => name === format)!.make(folder)
      const path = join(folder, `${format}.json`)
      const whole = JSON.parse(await readFile(path, 'utf8'))
      await writeFile(
        path,
        JSON.stringify({ ...whole, text: '@@', image: '@@', graph: '@@' }).replaceAll(
          '"@@"',
          kind === '[' ? deep(20_000) : deepObject(20_000),
        ),
      )
    },
    format,
  })),
)

export const made: Made[] = [
  ...configs,
  ...weights,
  ...checkpoints,
  ...onnx,
  ...decoded,
  ...written,
  ...arrays,
  ...tfjs,
  ...asData,
]

export async function useMade(one: Made, folder: string, context: Omit<Context, 'file'>): Promise<unknown> {
  const file = one.file ?? ''
  if (one.format === 'onnx tensors')
    return embedTexts(join(folder, file), { ...context, file }, { modality: 'tensor' }, [
      { shape: [1, 4], data: new Float32Array([1, 2, 3, 4]) },
    ])
  return formats.find(({ name }) => name === one.format)!.use(folder, { ...context, file })
}

export const folderFor = async (folder: string): Promise<void> =>
  void (await mkdir(folder, { recursive: true }))
