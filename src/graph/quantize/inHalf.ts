// Pass that makes a graph compute in float16, with float32 where halves are too small or too coarse.
import { type DType, elementCount, float32ToFloat16, type Tensor } from '../../tensor/index.ts'
import { inferFacts } from '../inference/infer.ts'
import type { Fact } from '../inference/rule.ts'
import { dataType } from '../onnx/schema.ts'
import { prune } from '../passes/index.ts'
import { captured, mapSubgraphs, reads, subgraphs } from '../passes/walk.ts'
import type { Attribute, Graph, Initializer, Node } from '../types.ts'
import { type Derived, inMemory, lastLoaded, type Place } from './derived.ts'
import { halfRule, type Lane, wideLane } from './lanes.ts'
import { FLOAT, Rewriter } from './rewriter.ts'
import { floats } from './symmetric.ts'

export interface InHalfOptions {
  /** Place of the new weights. Default: in memory. */
  readonly place?: Place
}

/**
 * The graph computing in float16: for a GPU that has half-precision arithmetic.
 *
 * @example
 * ```ts
 * await compile(await inHalf(graph), { device: 'webgpu' })
 * ```
 *
 * @remarks
 * Products of matrices and convolutions are done in half, and what lies between them. In float32 stay, between a `Cast` on
 * each side: norms and their parts, softmax, means and other sums, powers and roots, positions, Resize, operators of other
 * domains, bodies of functions, and whatever a value beyond 65,504 comes into before the next norm or softmax (a mask of
 * -3.4e38 is as finite as before). Large weights beyond it become ±65,504. Inputs and outputs keep their dtypes, and other
 * dtypes their operators. Best called on shapes that are known: a value whose dtype cannot be inferred stays as it is.
 */
export async function inHalf(graph: Graph, options: InHalfOptions = {}): Promise<Graph> {
  const { place = inMemory } = options
  const pass = new Halving(graph)
  await pass.readSmall(graph)
  const nodes = pass.graph(graph, inferFacts(graph))
  const made = await pass.make(place)
  const halved = { ...graph, nodes, initializers: new Map([...graph.initializers, ...made]) }
  return prune(halved, { keepInputs: true })
}

/** The names under which the values of one graph are there, and those of the graphs around it. */
class Scope {
  readonly facts: ReadonlyMap<string, Fact>
  readonly nodes: Node[] = []
  readonly #outer: Scope | undefined
  readonly #lanes = new Map<string, Lane>()
  readonly #halves = new Map<string, string>()
  readonly #constants = new Map<string, Initializer>()
  /** Values that exist as halves alone. */
  readonly #missing = new Set<string>()

  constructor(facts: ReadonlyMap<string, Fact>, outer?: Scope) {
    this.facts = facts
    this.#outer = outer
  }

  dtype(name: string): DType | undefined {
    const type = this.facts.get(name)?.type
    return type?.kind === 'tensor' ? type.dtype : undefined
  }

  lane(name: string): Lane {
    return this.#lanes.get(name) ?? this.#outer?.lane(name) ?? 'wide'
  }

  constant(name: string): Initializer | undefined {
    return this.#constants.get(name) ?? this.#outer?.constant(name)
  }

  half(name: string): string | undefined {
    return this.#halves.get(name) ?? this.#outer?.half(name)
  }

  isMissing(name: string): boolean {
    return this.#missing.has(name) || (this.#outer?.isMissing(name) ?? false)
  }

  set(name: string, lane: Lane): void {
    this.#lanes.set(name, lane)
  }

  setConstant(name: string, source: Initializer): void {
    this.#constants.set(name, source)
  }

  setHalf(name: string, half: string): void {
    this.#halves.set(name, half)
  }

  setMissing(name: string, missing: boolean): void {
    if (missing) this.#missing.add(name)
    else this.#missing.delete(name)
  }
}

class Halving {
  readonly #model: Graph
  readonly #rewriter: Rewriter
  readonly #load = lastLoaded()
  /** Constants that halves cannot hold. */
  readonly #exact = new Set<Initializer>()
  readonly #halves = new Map<Initializer, string>()
  readonly #derived: Derived[] = []

  constructor(model: Graph) {
    this.#model = model
    this.#rewriter = new Rewriter(model)
  }

  /** Reads the small constants: those that halves cannot hold stay as they are. */
  async readSmall({ initializers, nodes }: Graph): Promise<void> {
    for (const source of initializers.values()) await this.#look(source)
    for (const node of nodes) {
      const source = constantOf(node)
      if (source) await this.#look(source)
      for (const inner of subgraphs(node)) await this.readSmall(inner)
    }
  }

  async #look(source: Initializer): Promise<void> {
    const size = elementCount(source.shape)
    if (source.dtype !== 'float32' || size > ('data' in source ? SMALL_IN_MEMORY : SMALL_IN_FILE)) return
    const numbers = floats(await this.#load(source))
    if (numbers.some((x) => Math.abs(x) > LARGEST) || (size === 1 && numbers.some(isTiny)))
      this.#exact.add(source)
  }

  /** The nodes that take the place of a graph's. */
  graph(graph: Graph, facts: ReadonlyMap<string, Fact>, outer?: Scope): Node[] {
    const scope = new Scope(facts, outer)
    // An initializer that may be fed is no constant.
    const inputs = new Set(graph.inputs.map(({ name }) => name))
    for (const [name, source] of graph.initializers) if (!inputs.has(name)) this.#keep(scope, name, source)
    for (const node of graph.nodes) {
      const source = constantOf(node)
      if (source) {
        scope.nodes.push(node)
        this.#keep(scope, node.outputs[0]!, source)
      } else if (!this.#widening(scope, node) && !this.#norm(scope, node) && !this.#inHalf(scope, node))
        this.#inFull(scope, node)
    }
    for (const { name } of graph.outputs) this.#full(scope, name, graph.nodes.at(-1))
    return scope.nodes
  }

  #keep(scope: Scope, name: string, source: Initializer): void {
    scope.setConstant(name, source)
    scope.set(name, this.#exact.has(source) ? 'exact' : 'constant')
  }

  /** Handles a Cast to float32: of a half, which is there already, or of numbers that may or may not fit into one. */
  #widening(scope: Scope, node: Node): boolean {
    const [x = ''] = node.inputs
    const [y = ''] = node.outputs
    if (node.op !== 'Cast' || node.domain !== '' || Number(node.attributes['to']?.value) !== FLOAT)
      return false
    const dtype = scope.dtype(x)
    if (dtype === 'float32') return false
    scope.nodes.push(node)
    if (dtype === 'float16') {
      const source = scope.constant(x)
      if (source) this.#keep(scope, y, source)
      else scope.set(y, 'half')
      scope.setHalf(y, x)
    } else scope.set(y, dtype === 'uint8' || dtype === 'int8' ? 'wide' : 'exact')
    return true
  }

  /** Puts a node that computes in half in the place of this one, if it may. */
  #inHalf(scope: Scope, node: Node): boolean {
    const rule = halfRule(node)
    if (!rule) return false
    const floats = floatInputs(node, rule.floats)
    const outputs = node.outputs.filter((name) => name !== '')
    if (floats.length === 0 || ![...floats, ...outputs].every((name) => scope.dtype(name) === 'float32'))
      return false
    const bounds = node.op === 'Clip' ? floats.slice(1) : []
    const lanes = floats.map((name) =>
      // A bound beyond all halves binds none.
      bounds.includes(name) && scope.constant(name) ? 'constant' : scope.lane(name),
    )
    if (lanes.includes('exact')) return false
    if (rule.kind !== 'product') {
      const moves = rule.kind === 'move' && lanes.every((lane) => lane === 'constant')
      if (lanes.includes('wide') || (!lanes.includes('half') && !moves)) return false
    }
    // By a divisor that is computed: it may be too small for a half.
    if (node.op === 'Div' && lanes[1] !== 'constant') return false
    const fixed = node.inputs.every((name) => name === '' || scope.lane(name) === 'constant')
    if (fixed && rule.kind === 'product') return false
    const positions = rule.floats ?? node.inputs.map((_, i) => i)
    const inputs = node.inputs.map((name, i) =>
      name !== '' && positions.includes(i) ? this.#half(scope, name, node) : name,
    )
    const made = node.outputs.map((name) =>
      name === '' ? '' : this.#madeHalf(scope, name, fixed ? 'constant' : 'half'),
    )
    scope.nodes.push({ ...node, inputs, outputs: made })
    return true
  }

  /** A new name for a value that is there as a half alone. */
  #madeHalf(scope: Scope, name: string, lane: Lane): string {
    const half = this.#rewriter.fresh(`${name}_half`)
    scope.set(name, lane)
    scope.setHalf(name, half)
    scope.setMissing(name, true)
    return half
  }

  /**
   * Makes one factor and one sum for each channel of a batch norm of halves. Its variances may be too small for halves, and
   * ONNX Runtime puts factor and sum into the convolution before them.
   */
  #norm(scope: Scope, node: Node): boolean {
    const { op, domain, inputs, outputs, attributes } = node
    const [x = '', ...names] = inputs
    const training = Number(attributes['training_mode']?.value ?? 0) !== 0
    if (op !== 'BatchNormalization' || domain !== '' || outputs.length !== 1 || training) return false
    const type = scope.facts.get(x)?.type
    const rank = type?.kind === 'tensor' ? (type.shape?.length ?? 0) : 0
    const sources = names.flatMap((name) => scope.constant(name) ?? [])
    if (scope.lane(x) !== 'half' || scope.dtype(x) !== 'float32' || rank < 2 || sources.length !== 4)
      return false
    const epsilon = Number(attributes['epsilon']?.value ?? 1e-5)
    const shape = [elementCount(sources[0]!.shape), ...Array.from({ length: rank - 2 }, () => 1)]
    const load = this.#load
    const derive = (recipe: string, number: (...of: [number, number, number, number]) => number) => {
      const one: Derived = {
        name: this.#rewriter.fresh(`${outputs[0]}_${recipe}`),
        dtype: 'float16',
        shape,
        recipe: `float16 ${recipe} ${epsilon}`,
        sources,
        async make() {
          const all: Float32Array[] = []
          for (const source of sources) all.push(floats(await load(source)))
          const [scale, bias, mean, variance] = all as [
            Float32Array,
            Float32Array,
            Float32Array,
            Float32Array,
          ]
          const numbers = scale.map((a, i) => number(a, bias[i]!, mean[i]!, variance[i]!))
          return { dtype: 'float16', shape, data: finiteHalves(numbers) }
        },
      }
      this.#derived.push(one)
      return one.name
    }
    const by = derive('factor', (scale, _, __, variance) => scale / Math.sqrt(variance + epsilon))
    const plus = derive(
      'sum',
      (scale, bias, mean, variance) => bias - (mean * scale) / Math.sqrt(variance + epsilon),
    )
    const scaled = this.#rewriter.fresh(`${outputs[0]}_scaled`)
    scope.nodes.push(
      this.#rewriter.node(node, 'Mul', [this.#half(scope, x, node), by], { outputs: [scaled] }),
      this.#rewriter.node(node, 'Add', [scaled, plus], {
        outputs: [this.#madeHalf(scope, outputs[0]!, 'half')],
      }),
    )
    return true
  }

  /** Keeps a node as it is; what it reads is there in float32. */
  #inFull(scope: Scope, node: Node): void {
    for (const name of reads(node)) this.#full(scope, name, node)
    scope.nodes.push(mapSubgraphs(node, (inner) => this.#inner(scope, inner)))
    const rule = halfRule(node)
    const fixed = reads(node).length > 0 && reads(node).every((name) => scope.lane(name) === 'constant')
    const read = rule ? floatInputs(node, rule.floats) : reads(node)
    const lanes = read.filter((name) => scope.dtype(name) === 'float32').map((name) => scope.lane(name))
    const [first = ''] = node.outputs
    if (scope.dtype(first) === 'float32' && this.#normalises(scope, node)) {
      this.#half(scope, first, node)
      scope.set(first, 'half')
      return
    }
    for (const [i, name] of node.outputs.entries()) {
      if (name !== '') scope.set(name, fixed ? 'constant' : wideLane(node, i, rule !== undefined, lanes))
    }
  }

  /**
   * True for the quotient of a norm written in parts, of a value that is a half. ONNX Runtime makes one operator of the parts
   * and takes the half itself, beside gain and shift as they are: so these have to be halves, or it refuses the graph.
   */
  #normalises(scope: Scope, { op, domain, inputs }: Node): boolean {
    if (domain !== '' || (op !== 'Div' && op !== 'Mul')) return false
    const maker = (name = '') => this.#rewriter.maker(name)
    const isRoot = (name = '') => maker(name)?.op === 'Sqrt'
    const isInverse = (name = '') => {
      const { op = '', inputs = [] } = maker(name) ?? {}
      return op === 'Pow' || (op === 'Reciprocal' && isRoot(inputs[0])) || (op === 'Div' && isRoot(inputs[1]))
    }
    const isHalf = (name = '') => {
      const centred = maker(name)?.op === 'Sub' ? maker(name)!.inputs[0]! : name
      return scope.lane(name) === 'half' || scope.lane(centred) === 'half'
    }
    const [a, b] = inputs
    if (op === 'Div') return isRoot(b) && isHalf(a)
    return (isInverse(b) && isHalf(a)) || (isInverse(a) && isHalf(b))
  }

  #inner(scope: Scope, graph: Graph): Graph {
    const { opsets, functions } = this.#model
    const outer = captured(graph).map((name) => ({ name, type: scope.facts.get(name)?.type }))
    const inputs = [...graph.inputs, ...outer.map(({ name, type }) => ({ name, ...(type && { type }) }))]
    const facts = new Map([...scope.facts, ...inferFacts({ ...graph, opsets, functions, inputs })])
    return { ...graph, nodes: this.graph(graph, facts, scope) }
  }

  /** Name of a value as a half: made beforehand for a constant, else by a Cast. */
  #half(scope: Scope, name: string, user: Node): string {
    const known = scope.half(name)
    if (known !== undefined) return known
    const source = scope.constant(name)
    if (source?.dtype === 'float32') return this.#halfConstant(name, source)
    const half = this.#rewriter.fresh(`${name}_half`)
    scope.nodes.push(this.#cast(user, name, half, 'float16'))
    scope.setHalf(name, half)
    return half
  }

  #full(scope: Scope, name: string, user: Node | undefined): void {
    if (!user || !scope.isMissing(name)) return
    scope.nodes.push(this.#cast(user, scope.half(name)!, name, 'float32'))
    scope.setMissing(name, false)
  }

  #cast(beside: Node, from: string, to: string, dtype: DType): Node {
    const attributes: Record<string, Attribute> = { to: { type: 'int', value: dataType(dtype) } }
    return this.#rewriter.node(beside, 'Cast', [from], { outputs: [to], attributes })
  }

  #halfConstant(name: string, source: Initializer): string {
    const known = this.#halves.get(source)
    if (known !== undefined) return known
    const { shape } = source
    const load = this.#load
    const one: Derived = {
      name: this.#rewriter.fresh(`${name}_half`),
      dtype: 'float16',
      shape,
      recipe: 'float16 finite',
      sources: [source],
      async make() {
        return { dtype: 'float16', shape, data: finiteHalves(floats(await load(source))) } satisfies Tensor
      },
    }
    this.#halves.set(source, one.name)
    this.#derived.push(one)
    return one.name
  }

  /** The constants in half that the new nodes read: the large ones where `place` puts them. */
  async make(place: Place): Promise<ReadonlyMap<string, Initializer>> {
    const made = new Map<string, Initializer>()
    const large: Derived[] = []
    for (const one of this.#derived) {
      if (elementCount(one.shape) <= SMALL_IN_FILE) made.set(one.name, await one.make())
      else large.push(one)
    }
    return large.length === 0 ? made : new Map([...made, ...(await place(large))])
  }
}

/** The tensor of a Constant. */
function constantOf({ op, domain, attributes }: Node): Initializer | undefined {
  const { value } = attributes
  return op === 'Constant' && domain === '' && value?.type === 'tensor' ? value.value : undefined
}

function floatInputs({ inputs }: Node, places?: readonly number[]): string[] {
  return inputs.filter((name, i) => name !== '' && (!places || places.includes(i)))
}

/** Halves of finite numbers are finite; infinities stay. */
function finiteHalves(numbers: Float32Array): Uint16Array {
  return float32ToFloat16(
    numbers.map((x) => (Number.isFinite(x) ? Math.min(LARGEST, Math.max(-LARGEST, x)) : x)),
  )
}

function isTiny(x: number): boolean {
  return x !== 0 && Math.abs(x) < SMALLEST
}

/** The largest half, and the smallest with all of its digits. */
const LARGEST = 65_504
const SMALLEST = 2 ** -14

/** Elements up to which constants are looked at, in memory and in files: masks and the ε of norms are numbers that stand alone. */
const SMALL_IN_MEMORY = 2 ** 14
const SMALL_IN_FILE = 64
