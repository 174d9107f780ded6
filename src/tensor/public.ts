// Door of `pipilo/tensor` for users: the room, and its files where there are any.
export * from './files/index.ts'
export * from './index.ts'
