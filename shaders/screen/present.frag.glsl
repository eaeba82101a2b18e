// The final image with premultiplied alpha, or an intermediate target as colours.
//   MODE: what to show, as in app/render/passes/present.py.
//   SCALE: side of a G-buffer pixel, in image pixels.
//   MARGIN: G-buffer pixels on each side of the image.
uniform sampler2D u_hits;
uniform vec2 u_distances;  // drawn white and black
#if MODE <= 1
uniform sampler2D u_shaded[SCALE];  // one row of each block, since a whole block may take 16 texture units
uniform int u_row;                  // row of the block, counted from the top
uniform sampler2D u_inner_hits;
uniform bool u_showing;  // whether hits that the cameras of the bake have not seen are as opaque as others
#else
uniform sampler2D u_target;
uniform int u_channel;  // channel for the ramp; -1: the first three channels as RGB
uniform vec2 u_range;   // values at the ends of the ramp
#include "include/ramp.glsl"
#endif

out vec4 o_color;

#if MODE <= 1
// What the hit leaves of the network's alpha.  OPACITY_STEPS: as in app/render/passes/gbuffer.py.
float opacity(vec4 hit) {
    return mod(round(hit.z * 65535.0), OPACITY_STEPS) / (OPACITY_STEPS - 1.0);
}

vec4 shaded(ivec2 block, int column) {
    vec4 value = vec4(0.0);
SELECT
    return value;
}
#endif

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    ivec2 block = pixel / SCALE + MARGIN;
    vec4 hit = texelFetch(u_hits, block, 0);
    bool covered = hit.a > 0.0;
#if MODE <= 1
    ivec2 inside = pixel % SCALE;
    if (!covered || SCALE - 1 - inside.y != u_row)
        discard;
    vec4 color = clamp(shaded(block, inside.x), 0.0, 1.0);
    vec4 inner = texelFetch(u_inner_hits, block, 0);
    if (!u_showing)
        color.a *= min(opacity(hit), inner.a > 0.0 ? opacity(inner) : 1.0);
#if MODE == 0
    o_color = vec4(color.rgb * color.a, color.a);
#else
    o_color = vec4(color.aaa, 1.0);
#endif
#else
    vec4 value = texelFetch(u_target, block, 0);
#if MODE == 2
    vec3 shown = 0.5 + 0.5 * value.rgb;
#elif MODE == 3
    vec3 shown = value.rgb / (1.0 + value.rgb);
#elif MODE == 4
    vec3 shown = vec3(1.0 - (value.b - u_distances.x) / (u_distances.y - u_distances.x));
#elif MODE == 5
    vec3 shown = vec3(value.rg, 0.25);
#else
    vec3 shown = vec3(1.0);
#endif
    if (u_channel >= 0)
        shown = along_ramp((value[u_channel] - u_range.x) / (u_range.y - u_range.x));
    o_color = vec4(covered ? shown : vec3(0.08), 1.0);
#endif
}
