/* SPDX-License-Identifier: Apache-2.0 */
/* passes/schedule.c: gives every kernel its loops.
 *
 * Does     Chooses an emitter per kernel and fills fx_sched: vector axis, tile, loop order, tasks; and fx_cost.cycles.
 * Needs    Kernels as fuse, algo and place left them. CONTRACT stages that have no tile were turned into REDUCE by algo.
 * Ensures  Codegen makes no choice; nothing depends on the number of threads or on measurements.
 * Cost     Linear in the program's kernels; at most a few dozen tile shapes are tried for each CONTRACT.
 *
 * What the fields mean. "Points" are those of the outer axes; axes outside 0..n_outer are reduced or inner.
 *
 *   order    All outer axes except those named below, outermost loop first. Axes of extent 1 may be among them.
 *   step     fx__sched_step: elements of an axis that one iteration covers. fx__sched_count: iterations. A loop over an axis with
 *            step > 1 ends with a partial iteration (mask or narrower body), except `row`, see TILE.
 *   task     Outer axes whose iterations are shared out; they stand next to each other in order and in the same sequence. Their
 *            counts' product (last task axis fastest) is cut into chunks of `grain`: chunk c covers [c*grain, min((c+1)*grain,
 *            points)). A body called with chunks [lo, hi) runs [lo*grain, min(hi*grain, points)). Axes before the task axes in
 *            `order` loop outside that range inside one call, axes behind them inside it. n_task 0: one chunk, everything.
 *   parallel False: the entry calls the body once with all chunks. True: worth fx_rt_parallel.
 *   lanes    Lanes of every vector value in the kernel, from its widest computed type; 1: scalar code, vec FX_NO_AXIS.
 *   access   Along vec an access has stride 1 (vector load or store), 0 (one scalar, broadcast), or anything else: lane by lane.
 *   FX_NO_AXIS in vec, vec2, row: there is none.
 *
 *   FLAT     MAP stages without inner axes only. order: all outer axes, vec last. `unroll` vectors per iteration of vec.
 *            vec is a task axis only when it is the only one.
 *   COPY2D   As FLAT, but stores have stride 1 along vec and the main loads along vec2: blocks of lanes x lanes, transposed in
 *            registers; loads with stride 1 along vec or 0 in both may occur beside them. order: all outer axes, the last two
 *            are vec2, vec. vec or vec2 is a task axis only when it is the only one.
 *   COLUMN   REDUCE stages without inner axes, and MAPs; vec is an outer axis. Accumulators for mr points of `row` (may be
 *            FX_NO_AXIS: mr 1) times nv vectors of vec are side by side; reduced axes are plain loops in the stage's sequence.
 *            order: all outer axes, with row before vec and vec last.
 *   ROW      REDUCE and MAP stages with inner or reduced axes; vec is such an axis and has the same number in every stage that
 *            runs along it; a stage that does not contain vec runs in scalars, its other inner and reduced axes are plain
 *            loops around. `unroll` accumulators or vectors per iteration. order: all outer axes.
 *            ROW with lanes 1 runs any kernel without CONTRACT.
 *   TILE     Stage 0 is a CONTRACT without inner axes; MAP stages without inner axes follow and run on the registers. vec is an
 *            outer axis that occurs in one factor ("B", stride 1 along vec) and not in the other ("A"); row is an outer axis
 *            of A and not of B (FX_NO_AXIS: mr 1). The register tile is mr rows by nv vectors of vec.
 *            row: its iterations are tiles of even height: T = ceil(extent / mr) tiles, H = ceil(extent / T), the first
 *            extent - T*(H-1) have height H, the others H-1; never a remainder tile. As a task axis its points are those tiles.
 *            vec: when B is a panel (a buffer whose last dim is nv*lanes, zero-padded), vec's extent is nv*lanes exactly, loads
 *            of B are never masked, and the stores and the epilogue's loads are guarded when the real extent ends in the
 *            middle. Otherwise vec is looped over in steps of nv*lanes with masked loads and stores at the end.
 *            order: all outer axes; row, then vec are the last two. kgroup[i] belongs to red[i] of stage 0: neighbours with one
 *            number are contiguous in A and in B (B's step: the panel's width) and run as one loop, longest run innermost; a
 *            guarded axis inside a merged run (kw of (kw,ic)) clips it to a sub-run. kc: block of the innermost group's merged
 *            loop; between blocks the tile rests in scratch; 0: none. block 0.
 */
