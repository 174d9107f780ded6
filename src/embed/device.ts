// Running a model on a device, once one input has shown that the device computes what the CPU does.
import { PipiloError } from '../base/index.ts'
import { embeddingOptionsOf, type Model, type Opened } from '../models/index.ts'
import { type CompileOptions, type Placement, placement, type Session } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'
import type { Preparation } from './batching/preparation.ts'
import { preparer } from './preparer.ts'
import type { EmbedderOptions, Input, RawImage } from './types.ts'

/** The options of the runtime, with the device among them; a model in fp16 computes in half there. */
export function runtimeOf(
  { device, dtype, runtime, isolate, signal }: EmbedderOptions,
  opened?: Pick<Opened, 'dtype' | 'isolate'>,
): CompileOptions {
  const apart = isolate ?? runtime?.isolate ?? opened?.isolate
  return {
    ...((dtype ?? opened?.dtype) === 'fp16' && { half: true }),
    ...runtime,
    ...(device && { device }),
    ...(apart !== undefined && { isolate: apart }),
    ...(signal && { signal }),
  }
}

/** Has a session's device prove itself on one text or picture that is always the same. @throws `DEVICE_WRONG` */
export async function proveSession(
  session: Session,
  preparation: Preparation,
  modality: 'text' | 'image',
  { recheck = false, signal }: Pick<EmbedderOptions, 'recheck' | 'signal'>,
): Promise<void> {
  if (session.device === 'cpu') return
  await session.prove(await canonicalFeeds(session, preparation, modality, signal), { recheck })
}

/** The feeds of one input, as often as a fixed batch wants it. */
export async function canonicalFeeds(
  { inputs }: Pick<Session, 'inputs'>,
  preparation: Preparation,
  modality: 'text' | 'image',
  signal: AbortSignal = new AbortController().signal,
): Promise<Record<string, Tensor>> {
  const input: Input = modality === 'text' ? SENTENCE : picture()
  const [unit] = await preparation.prepare([input], {
    indexOf: (owner) => owner,
    prompt: '',
    signal,
    onError: (_, error) => {
      throw error
    },
  })
  const sizes = inputs.map(({ type }) => (type?.kind === 'tensor' ? type.shape?.[0] : undefined))
  const rows = sizes.find((size) => typeof size === 'number') ?? 1
  return preparation.feeds(Array.from({ length: rows }, () => unit!))
}

/** See `placementOf` in onDemand.ts. */
export async function placementOf(model: Model, options: EmbedderOptions = {}): Promise<Placement> {
  const one = model.towers?.[options.modality === 'text' ? 'text' : 'image'] ?? model
  if (one.modality === 'tensor') {
    throw new PipiloError(
      'OPTION_INVALID',
      `${one.name} takes tensors, and there is none to try a device on.`,
      {
        input: 'device',
        hint: 'Call placement(graph, feeds, { device }) of pipilo/runtime with feeds of yours.',
      },
    )
  }
  const graph = one.embedding(embeddingOptionsOf(options))
  const prepare = await preparer(one, options)
  const preparation = prepare({ inputs: graph.inputs, outputs: graph.outputs, concurrency: 1 })
  const modality = one.modality === 'image' ? 'image' : 'text'
  const feeds = await canonicalFeeds(graph, preparation, modality, options.signal)
  return placement(graph, feeds, runtimeOf(options, one.opened))
}

const SENTENCE = 'A towhee scratches among last year’s leaves, and in 1999 nobody wrote it down.'

/** Slopes of colour with edges across them. */
function picture(): RawImage {
  const [width, height] = [240, 200]
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < data.length; i++) {
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3]
    const edge = (x >> 5) % 2 === (y >> 5) % 2 ? 60 : 0
    data[i] = Math.min(255, edge + [x, y, 240 - x][channel]! * 0.8)
  }
  return { width, height, channels: 3, data }
}
