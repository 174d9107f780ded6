// Reads Python pickles into plain values; only known names are taken, and nothing is executed.
import { PipiloError } from '../../../base/index.ts'

/** A Python object that a pickle may name: a class or function that is called, or a constant. */
export class Known {
  readonly name: string
  /** Result of a call. Without it, calling is refused. */
  readonly call: ((args: readonly unknown[]) => unknown) | undefined

  constructor(name: string, call?: (args: readonly unknown[]) => unknown) {
    this.name = name
    this.call = call
  }
}

/** A Python object that is left unread, because its name is not known: it holds nothing and does nothing. */
export class Opaque {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** Objects that a pickle may name beyond numbers, strings and plain containers. */
export interface Vocabulary {
  /** The object of a name such as `collections.OrderedDict`; undefined stays {@link Opaque}. */
  find(name: string): unknown
  /** The object of a persistent identifier; undefined is refused. */
  persistent(id: unknown): unknown
}

/** The bytes ended before the pickle did: more of the file may help. */
export class Truncated extends Error {}

/** An object of a pickle, and where the pickle ended. */
export interface Unpickled {
  readonly value: unknown
  readonly end: number
}

const MARK = Symbol('mark')

/** Longest integer that is read, in bytes. */
const LONGEST_INTEGER = 32

/** Names that only a pickle made to do harm asks for: in Python they run programs and code, or touch files and networks. */
const HARMFUL = new RegExp(
  `^(?:${[
    '(?:os|posix|nt)\\.(?:system|popen|exec\\w*|(?:posix_)?spawn\\w*|fork\\w*|kill\\w*|remove\\w*|unlink|rmdir|rename\\w*|replace|symlink|link|chmod|chown|startfile|putenv|open|write)',
    '(?:builtins|__builtin__)\\.(?:eval|exec|execfile|compile|__import__|open|input|breakpoint)',
    '(?:subprocess|commands|popen2|pty|runpy|code|ctypes|webbrowser|pip|timeit|pdb|bdb)\\..*',
    '(?:socket|urllib|requests|http|ftplib|smtplib)\\..*',
    'shutil\\..*|importlib\\.(?:import_module|reload|__import__)|sys\\.(?:modules|exit|settrace|setprofile)',
    'torch\\.(?:load|serialization\\.load|hub\\..*|utils\\.cpp_extension\\..*)',
  ].join('|')})$`,
)

/**
 * Reads one pickle (protocols 2 to 5) and executes nothing: the only functions that are ever called are those of
 * `vocabulary`, which are ours. An object of any other name is {@link Opaque}: what the pickle does with it is passed over. The names that
 * only harmful pickles have are refused the moment they are read, called or not. Work and memory are bounded by the pickle's length.
 *
 * Dictionaries become `Map`, lists and tuples arrays, sets `Set`, bytes `Uint8Array`, `None` null, integers number or (beyond
 * 2^53) bigint, those of more than 32 bytes opaque.
 *
 * @param label what errors call the file
 * @throws PipiloError `FORMAT_UNSUPPORTED` for what is refused, `FORMAT_INVALID` for what is no pickle; {@link Truncated}
 * @see https://github.com/python/cpython/blob/main/Lib/pickletools.py
 */
export function unpickle(bytes: Uint8Array, start: number, vocabulary: Vocabulary, label: string): Unpickled {
  return new Unpickler(bytes, start, vocabulary, label).run()
}

class Unpickler {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #vocabulary: Vocabulary
  readonly #label: string
  readonly #stack: unknown[] = []
  readonly #memo = new Map<number, unknown>()
  readonly #unknown = new Map<string, Opaque>()
  #at: number

  constructor(bytes: Uint8Array, start: number, vocabulary: Vocabulary, label: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#vocabulary = vocabulary
    this.#label = label
    this.#at = start
  }

  run(): Unpickled {
    for (;;) {
      const opcode = this.#u8()
      if (opcode === STOP) return { value: this.#pop(), end: this.#at }
      this.#step(opcode)
    }
  }

  /** Carries out one opcode. The result is not used. */
  #step(opcode: number): unknown {
    const push = (value: unknown) => this.#stack.push(value)
    switch (opcode) {
      case 0x80: // PROTO
        if (this.#u8() > 5) throw this.#invalid('is of a protocol after 5')
        return
      case 0x95: // FRAME
        this.#skip(8)
        return

      case 0x4e: // NONE
        return push(null)
      case 0x88: // NEWTRUE
        return push(true)
      case 0x89: // NEWFALSE
        return push(false)
      case 0x4a: // BININT
        return push(this.#view.getInt32(this.#skip(4), true))
      case 0x4b: // BININT1
        return push(this.#u8())
      case 0x4d: // BININT2
        return push(this.#view.getUint16(this.#skip(2), true))
      case 0x8a: // LONG1
        return push(this.#integer(this.#u8()))
      case 0x8b: // LONG4
        return push(this.#integer(this.#u32()))
      case 0x47: // BINFLOAT
        return push(this.#view.getFloat64(this.#skip(8), false))

      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING, of Python 2
        return push(this.#text(this.#u32()))
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING, of Python 2
        return push(this.#text(this.#u8()))
      case 0x8d: // BINUNICODE8
        return push(this.#text(this.#u64()))
      case 0x42: // BINBYTES
        return push(this.#slice(this.#u32()))
      case 0x43: // SHORT_BINBYTES
        return push(this.#slice(this.#u8()))
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return push(this.#slice(this.#u64()))

      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        return push([])
      case 0x28: // MARK
        return push(MARK)
      case 0x6c: // LIST
      case 0x74: // TUPLE
        return push(this.#marked())
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return push(this.#take(opcode - 0x84))
      case 0x61: // APPEND
        return this.#append(this.#take(1))
      case 0x65: // APPENDS
        return this.#append(this.#marked())
      case 0x7d: // EMPTY_DICT
        return push(new Map())
      case 0x64: // DICT
        push(new Map())
        return this.#set(this.#marked(1))
      case 0x73: // SETITEM
        return this.#set(this.#take(2))
      case 0x75: // SETITEMS
        return this.#set(this.#marked())
      case 0x8f: // EMPTY_SET
        return push(new Set())
      case 0x90: {
        // ADDITEMS
        const items = this.#marked()
        const set = this.#top()
        if (set instanceof Opaque) return
        if (!(set instanceof Set)) throw this.#invalid('adds to what is no set')
        for (const item of items) set.add(item)
        return
      }
      case 0x91: // FROZENSET
        return push(new Set(this.#marked()))

      case 0x30: // POP
        this.#stack.pop()
        return
      case 0x31: // POP_MARK
        this.#marked()
        return
      case 0x32: // DUP
        return push(this.#top())
      case 0x71: // BINPUT
        return this.#memo.set(this.#u8(), this.#top())
      case 0x72: // LONG_BINPUT
        return this.#memo.set(this.#u32(), this.#top())
      case 0x94: // MEMOIZE
        return this.#memo.set(this.#memo.size, this.#top())
      case 0x68: // BINGET
        return push(this.#recall(this.#u8()))
      case 0x6a: // LONG_BINGET
        return push(this.#recall(this.#u32()))

      case 0x63: {
        // GLOBAL
        const module = this.#line()
        return push(this.#find(`${module}.${this.#line()}`))
      }
      case 0x93: // STACK_GLOBAL
        return push(this.#global(this.#take(2)))
      case 0x69: {
        // INST
        const module = this.#line()
        const known = this.#find(`${module}.${this.#line()}`)
        return push(this.#call(known, this.#marked()))
      }
      case 0x6f: {
        // OBJ
        const [known, ...args] = this.#marked()
        return push(this.#call(known, args))
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const [known, args] = this.#take(2)
        return push(this.#call(known, args))
      }
      case 0x92: {
        // NEWOBJ_EX
        const [known, args, named] = this.#take(3)
        if (known instanceof Opaque) return push(known)
        if (!(named instanceof Map) || named.size > 0) throw this.#refused('a call with named arguments')
        return push(this.#call(known, args))
      }
      case 0x62: {
        // BUILD: an OrderedDict carries versions of its modules (`_metadata`), which say nothing about its tensors.
        this.#take(1)
        if (this.#top() instanceof Map || this.#top() instanceof Opaque) return
        throw this.#refused('an object with a state of its own')
      }
      case 0x51: {
        // BINPERSID
        const [id] = this.#take(1)
        const object = this.#vocabulary.persistent(id)
        if (object === undefined) throw this.#refused('a persistent identifier that is no storage')
        return push(object)
      }
      case 0x82: // EXT1
      case 0x83: // EXT2
      case 0x84: // EXT4
        throw this.#refused('an object of the extension registry')
      case 0x97: // NEXT_BUFFER
      case 0x98: // READONLY_BUFFER
        throw this.#refused('a buffer outside of the file')
      default:
        throw this.#invalid(
          `has the byte 0x${opcode.toString(16)} where an opcode of protocol 2 to 5 belongs`,
        )
    }
  }

  #find(name: string): unknown {
    if (HARMFUL.test(name)) throw this.#refused(name)
    const found = this.#vocabulary.find(name) ?? this.#unknown.get(name) ?? new Opaque(name)
    if (found instanceof Opaque) this.#unknown.set(name, found)
    return found
  }

  #global([module, name]: unknown[]): unknown {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.#invalid('names an object by no text')
    return this.#find(`${module}.${name}`)
  }

  #call(known: unknown, args: unknown): unknown {
    if (known instanceof Opaque) return known
    if (!(known instanceof Known) || !known.call) throw this.#refused('a call of what is no function')
    if (!Array.isArray(args)) throw this.#invalid(`calls ${known.name} without a tuple of arguments`)
    const result = known.call(args)
    if (result !== undefined) return result
    if (!known.name.startsWith('torch.')) return new Opaque(known.name)
    throw this.#invalid(`calls ${known.name} with arguments that it does not take`)
  }

  #append(items: unknown[]): void {
    const list = this.#top()
    if (list instanceof Opaque) return
    if (!Array.isArray(list)) throw this.#invalid('appends to what is no list')
    for (const item of items) list.push(item)
  }

  #set(items: unknown[]): void {
    const map = this.#top()
    if (map instanceof Opaque) return
    if (!(map instanceof Map) || items.length % 2 !== 0)
      throw this.#invalid('sets items of what is no dictionary')
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1])
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw this.#invalid('takes from an empty stack')
    return this.#stack.at(-1)
  }

  #pop(): unknown {
    const top = this.#top()
    this.#stack.pop()
    return top
  }

  #take(count: number): unknown[] {
    if (this.#stack.length < count) throw this.#invalid('takes from an empty stack')
    return this.#stack.splice(this.#stack.length - count)
  }

  /** Takes the mark and the values above it off the stack and returns the values; `above` more on top of them stay. */
  #marked(above = 0): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK)
    if (mark < 0) throw this.#invalid('looks for a mark that is not there')
    const items = this.#stack.splice(mark + 1, this.#stack.length - mark - 1 - above)
    this.#stack.splice(mark, 1)
    return items
  }

  #recall(index: number): unknown {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.#invalid(`recalls number ${index}, which it never kept`)
    return value
  }

  /** Moves on, and returns where the bytes passed begin. */
  #skip(length: number): number {
    const start = this.#at
    if (length > this.#bytes.length - start) throw new Truncated()
    this.#at += length
    return start
  }

  #u8(): number {
    return this.#view.getUint8(this.#skip(1))
  }

  #u32(): number {
    return this.#view.getUint32(this.#skip(4), true)
  }

  #u64(): number {
    return Number(this.#view.getBigUint64(this.#skip(8), true))
  }

  #slice(length: number): Uint8Array {
    const start = this.#skip(length)
    return this.#bytes.slice(start, start + length)
  }

  #text(length: number): string {
    const start = this.#skip(length)
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length))
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw new Truncated()
    const text = this.#text(end - this.#at)
    this.#at = end + 1
    return text
  }

  /** Two's complement, little endian. */
  #integer(length: number): number | bigint | Opaque {
    if (length > LONGEST_INTEGER) {
      this.#skip(length)
      return new Opaque('builtins.int')
    }
    const bytes = this.#slice(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!)
    const signed = BigInt.asIntN(8 * length, value)
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed
  }

  #refused(what: string): PipiloError {
    return new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${this.#label} asks for ${what.slice(0, 200)}, which is neither a tensor nor a plain container: refused, and nothing of it was run.`,
      {
        input: this.#label,
        hint: 'Do not load it elsewhere unless you trust its source; its parameters alone can be saved with torch.save(model.state_dict(), path) or as safetensors.',
      },
    )
  }

  #invalid(complaint: string): PipiloError {
    return new PipiloError('FORMAT_INVALID', `${this.#label} is no valid pickle: it ${complaint}.`, {
      input: this.#label,
      hint: 'Download or write it again.',
    })
  }
}

const STOP = 0x2e
