// Door of atlas/page/: what a page that draws a map needs, in a browser and in Node alike.
export * from './colors.ts'
export * from './lasso.ts'
export * from './pageData.ts'
export * from './placeLabels.ts'
export * from './pointGrid.ts'
