// The five works of `speed.ts`: training steps as single graphs, and batches made in advance.
import { type GradOptions, grad, type OptimizeOptions, optimize } from '../../src/grad/index.ts'
import { type Graph, op, parametersOf, updatesOf } from '../../src/graph/index.ts'
import { buildSentenceEncoder } from '../../src/nn/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'
import {
  classification,
  crossEntropy,
  type Feed,
  freshNetwork,
  type Network,
  type Objective,
  reconstruction,
  trainingStep,
} from '../../src/train/index.ts'

/** A step ready to be compiled. */
export interface Work {
  readonly graph: Graph
  readonly state: Readonly<Record<string, string>>
  readonly feeds: () => Record<string, Tensor>
}

type Options = Pick<GradOptions, 'recompute'>

const sgd: OptimizeOptions = { optimizer: { kind: 'sgd', lr: 0.01, momentum: 0.9 } }
const adam: OptimizeOptions = { optimizer: { kind: 'adam' } }
const adamw: OptimizeOptions = { optimizer: { kind: 'adamw', lr: 1e-4 } }

/** The names are those of speed.py. */
export const works: Readonly<Record<string, (options: Options) => Work>> = {
  mlp: (options) => {
    const config = { shape: [1, 28, 28], hidden: [], latent: 128, out_act: 'sigmoid' }
    return stepOf(freshNetwork('mlp_autoencoder', { config }), reconstruction(), {
      ...options,
      batch: 128,
      optimize: adam,
    })
  },
  vit: (options) =>
    stepOf(
      freshNetwork('vit_tiny_patch16_224', {
        config: { depth: 4, patch_size: 8, img_size: 64, num_classes: 10 },
        size: [64, 64],
      }),
      classification(),
      { ...options, batch: 32, optimize: adamw },
    ),
  lenet: (options) => {
    const config = { act: 'relu', pool: 'max', padding: 2, input_size: [28, 28] }
    return stepOf(freshNetwork('lenet', { config }), classification(), {
      ...options,
      batch: 128,
      optimize: sgd,
    })
  },
  resnet20: (options) =>
    stepOf(freshNetwork('resnet20_cifar'), classification(), { ...options, batch: 64, optimize: sgd }),
  minilm: (options) => stepOf(minilm(), halves, { ...options, batch: 32, optimize: adamw }),
  'minilm-sparse': () => sparse(),
}

/** The configuration of all-MiniLM-L6-v2, without dropout. */
function minilm(): Network {
  const config = {
    model_type: 'bert',
    vocab_size: 30522,
    hidden_size: 384,
    num_hidden_layers: 6,
    num_attention_heads: 12,
    intermediate_size: 1536,
    max_position_embeddings: 512,
    type_vocab_size: 2,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-12,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.02,
  }
  const built = (mode: 'training' | 'inference') => buildSentenceEncoder(config, undefined, { mode }).graph
  return {
    name: 'minilm',
    training: built('training'),
    inference: built('inference'),
    representation: 'sentence_embedding',
    text: { encode: () => [], paddingId: 0 },
  }
}

/** The first half of the texts beside the second: each has to find its own. */
const halves: Objective = {
  name: 'halves',
  build(scope) {
    const vectors = scope.embed(scope.texts('text'))
    const count = scope.batch / 2
    const [anchors, positives] = [
      op.slice(vectors, [0], [count], { axes: [0] }),
      op.slice(vectors, [count], [2 * count], { axes: [0] }),
    ]
    const scores = op.mul(op.matMul(anchors, op.transpose(positives, [1, 0])), 20)
    return { loss: crossEntropy(scores, scope.builder.constant(Array.from({ length: count }, (_, i) => i))) }
  },
}

interface StepChoices extends Options {
  readonly batch: number
  readonly optimize: OptimizeOptions
}

function stepOf(network: Network, objective: Objective, { recompute, ...options }: StepChoices): Work {
  const step = trainingStep(network, objective, {
    ...options,
    ...(recompute && { recompute }),
    seed: 0,
    steps: 1000,
    classes: Array.from({ length: 10 }, (_, i) => `${i}`),
  })
  return { graph: step.graph, state: step.state, feeds: () => feedsOf(step.graph, step.feeds) }
}

/** MiniLM's step with the rows of the token table that a batch has read changed alone. */
function sparse(): Work {
  const { forward, feeds } = trainingStep(minilm(), halves, {
    batch: 32,
    seed: 0,
    steps: 1000,
    optimize: adamw,
  })
  const table = parametersOf(forward).find(({ name }) => name.includes('word_embeddings'))!.name
  const read = forward.nodes.find(({ op: name, inputs }) => name === 'Gather' && inputs[0] === table)!
  const [rows, indices] = [read.outputs[0]!, read.inputs[1]!]
  const dense = parametersOf(forward).flatMap(({ name, role }) =>
    role === 'weight' && name !== table ? [name] : [],
  )
  const graph = optimize(grad(forward, { of: 'loss', by: [...dense, rows] }), {
    ...adamw,
    groups: [{ names: /word_embeddings/, weightDecay: 0 }],
    sparse: { [table]: { indices, gradient: `${rows}.grad` } },
  })
  return { graph, state: Object.fromEntries(updatesOf(graph)), feeds: () => feedsOf(graph, feeds) }
}

function feedsOf(graph: Graph, feeds: ReadonlyMap<string, Feed>): Record<string, Tensor> {
  return Object.fromEntries(
    graph.inputs.flatMap(({ name, type }) => {
      const feed = feeds.get(name)
      if (!feed || type?.kind !== 'tensor') return []
      const shape = (type.shape ?? []).map((size) => (typeof size === 'number' ? size : 32))
      return [[name, filled(feed, shape)] as const]
    }),
  )
}

function filled(feed: Feed, shape: readonly number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1)
  const integers = (value: (i: number) => number): Tensor => ({
    dtype: 'int64',
    shape,
    data: BigInt64Array.from({ length: count }, (_, i) => BigInt(value(i))),
  })
  if (feed.kind === 'labels') return integers((i) => i % 10)
  if (feed.kind === 'tokens') {
    if (feed.part === 'input_ids') return integers((i) => (i * i * 31 + 7) % 30522)
    return integers(() => (feed.part === 'attention_mask' ? 1 : 0))
  }
  return {
    dtype: 'float32',
    shape,
    data: Float32Array.from({ length: count }, (_, i) => 0.5 + 0.5 * Math.sin(1.3 * i + (i % 7))),
  }
}
