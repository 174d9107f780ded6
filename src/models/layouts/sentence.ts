// Adds the modules of sentence-transformers behind a text network.
import { PipiloError } from '../../base/index.ts'
import { Builder, type Graph, op, type Value } from '../../graph/index.ts'
import {
  l2Normalize,
  layerNorm,
  linear,
  type Parameters,
  parametersFrom,
  pool,
  takeFirst,
} from '../../nn/index.ts'
import { attentionMask } from '../model/embedding.ts'
import type { PoolingMode, SentenceModule } from './modules.ts'

/** PyTorch's activations by their classes. */
const activations: Readonly<Record<string, (x: Value) => Value>> = {
  Identity: (x) => x,
  Tanh: op.tanh,
  ReLU: op.relu,
  GELU: (x) => op.gelu(x),
  Sigmoid: op.sigmoid,
  SiLU: op.silu,
  LeakyReLU: (x) => op.leakyRelu(x),
  ELU: (x) => op.elu(x),
  Mish: op.mish,
}

/** The graph with what sentence-transformers puts behind the network, and the layer that then is the embedding. */
export function withLayout(
  graph: Graph,
  tokens: string,
  layout: { readonly modules: readonly SentenceModule[] },
): { graph: Graph; tap: string } {
  if (layout.modules.length === 0) return { graph, tap: tokens }
  const isTaken = graph.outputs.some(({ name }) => name === 'sentence_embedding')
  const tap = isTaken ? 'sentence_embedding.whole' : 'sentence_embedding'
  return { graph: withModules(graph, tokens, layout.modules, tap), tap }
}

/**
 * The graph with sentence-transformers' modules behind its tokens, and their result [batch, features] as a further output.
 * Layers are called as the folders of the modules (`2_Dense`).
 *
 * @param tokens output [batch, sequence, features] that the modules read
 * @throws PipiloError `OPERATOR_UNSUPPORTED` for an activation that is not known, `PARAMETER_MISSING`, `SHAPE_MISMATCH`,
 * `PARAMETER_UNUSED`
 */
function withModules(graph: Graph, tokens: string, modules: readonly SentenceModule[], name: string): Graph {
  const builder = Builder.from(graph)
  let value = builder.value(tokens)
  for (const module of modules) {
    const scope = module.path.replace(/\/$/, '').replaceAll('/', '.') || module.kind
    value = builder.scope(scope, { kind: module.kind }, () => add(builder, module, value))
  }
  builder.output(name, value)
  return builder.build()
}

function add(builder: Builder, module: SentenceModule, x: Value): Value {
  switch (module.kind) {
    case 'Pooling': {
      const mask = attentionMask(builder)
      const pooled = module.modes.map((mode) => pooling(x, mode, mask))
      return pooled.length === 1 ? pooled[0]! : op.concat(pooled, -1)
    }
    case 'Normalize':
      return l2Normalize(x)
    case 'Truncate':
      // Of a shorter vector all.
      return Number(x.shape.at(-1)) <= module.size ? x : takeFirst(x, module.size)
    case 'LayerNorm': {
      const { parameters, done } = parametersOf(builder, module)
      const result = layerNorm(parameters, 'norm', x)
      done()
      return result
    }
    case 'Dense': {
      const activation = activations[module.activation]
      if (!activation) {
        throw new PipiloError(
          'OPERATOR_UNSUPPORTED',
          `The activation ${module.activation} of ${module.path} is not known.`,
          {
            input: module.activation,
            hint: `Known: ${Object.keys(activations).join(', ')}.`,
          },
        )
      }
      const { parameters, done } = parametersOf(builder, module)
      const project = (layer: string, bias: boolean) =>
        linear(parameters, layer, x, module.tensors.get(`${layer}.weight`)?.shape[0] ?? 1, { bias })
      const projected = activation(project('linear', module.tensors.has('linear.bias')))
      const residual = module.tensors.has('residual.weight') ? project('residual', false) : x
      done()
      return module.residual ? op.add(projected, residual) : projected
    }
  }
}

type Weighted = Extract<SentenceModule, { readonly tensors: unknown }>

/** The parameters of a module, whose checkpoint names them without the module's folder; `done` refuses what is left over. */
function parametersOf(builder: Builder, module: Weighted): { parameters: Parameters; done: () => void } {
  const scope = builder.path
  const named = new Map([...module.tensors].map(([name, tensor]) => [`${scope}.${name}`, tensor]))
  const parameters = parametersFrom(builder, named)
  const done = (): void => {
    const unused = parameters.unused()
    if (unused.length === 0) return
    throw new PipiloError('PARAMETER_UNUSED', `${module.kind} does not take ${unused.join(', ')}.`, {
      input: unused[0]!,
    })
  }
  return { parameters, done }
}

function pooling(x: Value, mode: PoolingMode, mask: Value): Value {
  switch (mode) {
    case 'cls':
    case 'max':
    case 'mean':
      return pool(x, mode, mask)
    case 'lasttoken':
      return pool(x, 'last', mask)
    case 'mean_sqrt_len_tokens': {
      // The mean over n tokens, times √n, is their sum over √n.
      const count = op.clip(op.reduceSum(op.cast(mask, 'float32'), [1], { keepDims: true }), 1e-9)
      return op.mul(pool(x, 'mean', mask), op.sqrt(count))
    }
    case 'weightedmean': {
      const present = op.cast(mask, 'float32')
      // The first token that is no padding weighs 1, the next 2, …
      const weights = op.mul(op.cumSum(present, 1), present)
      const sum = op.squeeze(op.matMul(op.unsqueeze(weights, [1]), x), [1])
      return op.div(sum, op.clip(op.reduceSum(weights, [1], { keepDims: true }), 1e-9))
    }
  }
}
