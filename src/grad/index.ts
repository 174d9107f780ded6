// Door of grad/: differentiation from graph to graph, and optimisers as nodes.
export { type GradOptions, grad } from './grad.ts'
export * from './optimizers/index.ts'
export { BackwardCall, type Gradient, type GradientRule } from './rule.ts'
