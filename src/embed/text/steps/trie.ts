// Words by their beginnings.

/** Finds all words of a list that a text holds from a place on. Nodes are numbers; their edges lie in one table with open addressing. */
export class Trie {
  /** 1 + the value of the word that ends at a node. */
  #values: Int32Array
  #parents: Int32Array
  #units: Uint16Array
  #children: Int32Array
  #nodes = 1
  readonly #mask: number

  /** @param size UTF-16 units of all words together */
  constructor(size: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, size * 2)))
    this.#mask = slots - 1
    this.#parents = new Int32Array(slots)
    this.#units = new Uint16Array(slots)
    this.#children = new Int32Array(slots)
    this.#values = new Int32Array(size + 1)
  }

  /** Adds a word; of equal ones the last counts. */
  add(word: string, value: number): void {
    let node = 0
    for (let i = 0; i < word.length; i++) {
      const unit = word.charCodeAt(i)
      const slot = this.#slot(node, unit)
      if (this.#children[slot] === 0) {
        this.#parents[slot] = node
        this.#units[slot] = unit
        this.#children[slot] = this.#nodes++
      }
      node = this.#children[slot]!
    }
    this.#values[node] = value + 1
  }

  /** The node below a node for a UTF-16 unit, 0 for none. The root is 0. */
  child(node: number, unit: number): number {
    return this.#children[this.#slot(node, unit)]!
  }

  /** The value of the word that ends at a node, -1 for none. */
  value(node: number): number {
    return this.#values[node]! - 1
  }

  #slot(node: number, unit: number): number {
    let slot = (Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)) >>> 7
    for (slot &= this.#mask; this.#children[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#parents[slot] === node && this.#units[slot] === unit) return slot
    }
    return slot
  }
}
