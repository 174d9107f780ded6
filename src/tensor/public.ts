// Door of the package, `pipilo/tensor`: the room, and its files where there are any.
export * from './files/index.ts'
export * from './index.ts'
