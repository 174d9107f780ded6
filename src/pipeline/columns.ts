/** All of the type-level part of `pipe`: which columns there are, and of what type. */

/** Columns by name. */
export type Columns = Record<string, unknown>

/** One column, or several. */
export type Names<C> = (keyof C & string) | readonly (keyof C & string)[]

/** The arguments that a function over the columns `I` gets. */
export type Arguments<C, I> = I extends readonly unknown[]
  ? { [K in keyof I]: I[K] extends keyof C ? C[I[K]] : never }
  : I extends keyof C
    ? [value: C[I]]
    : never

/** Argument of an operator over the columns `I`: the value of one column, the array of several. */
export type RowValue<C, I> =
  Arguments<C, I> extends [infer One] ? (I extends string ? One : [One]) : Arguments<C, I>

/** Result for the columns `O`: a value for one column, an array for several. */
export type Result<O> = O extends readonly unknown[] ? Results<O> : unknown

/** A value for each of several columns. */
export type Results<O extends readonly unknown[]> = { -readonly [K in keyof O]: unknown }

/** The columns `C`, and the result `R` in the columns `O`. */
export type WithResult<C, O, R> = Simplify<Omit<C, NameOf<O>> & Produced<O, R>>

type NameOf<O> = O extends readonly (infer Name)[] ? Name & string : O & string

type Produced<O, R> = O extends readonly string[]
  ? {
      [K in Extract<keyof O, `${number}`> as O[K] & string]: R extends readonly unknown[]
        ? R[K & keyof R]
        : never
    }
  : { [K in O & string]: R }

/** Every column becomes an array: a window. */
export type Windowed<C> = { [K in keyof C]: C[K][] }

/** Columns whose type nobody declared take what they are given. */
// biome-ignore lint/suspicious/noExplicitAny: `unknown` would have to be narrowed in every function, though nobody knows more
export type Undeclared<Inputs extends readonly string[]> = { [K in Inputs[number]]: any }

/** One row that goes in: the value of one column, or the array of several. */
export type InputRow<C, Inputs extends readonly string[]> = Inputs extends readonly [
  infer One extends keyof C,
]
  ? C[One]
  : { readonly [K in keyof Inputs]: Inputs[K] extends keyof C ? C[Inputs[K]] : never }

/** The arguments of a call for one row. */
export type InputArguments<C, Inputs extends readonly string[]> = {
  -readonly [K in keyof Inputs]: Inputs[K] extends keyof C ? C[Inputs[K]] : never
}

/** How many rows one row gives: `one`, after a filter perhaps none, after `flatMap` or `window` any number. */
export type Yield = 'one' | 'optional' | 'many'

/** Result of a call for one row. */
export type CallResult<Y extends Yield, Row> = Y extends 'one'
  ? Row
  : Y extends 'optional'
    ? Row | undefined
    : Row[]

export type Simplify<T> = { [K in keyof T]: T[K] } & {}
