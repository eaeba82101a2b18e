// First hits of the rays with one shell. The shader is minimal because overdraw runs it for many hidden fragments.
//   LAYER 0: outer shell.  LAYER 1: inner shell, restricted to fragments behind layer 0.
//   SURFACE 0: hits for shading, 16 bits per channel: u, v, level of detail with the opacity, r / (1 + r) for the
//     pixel's scale r.
//   SURFACE 1: for baking and inspection: u, v, distance from the eye, face index + 1; normal, level of detail.
//   SCALED 1: the network has a reference view, see app/scene/coordinates/reference_view.py.  SCALED 0: r is 1.
//   VALUED 1: vertices say how far the bake's cameras saw them, and the opacity follows.  VALUED 0: it is 1.
//   UV_STEPS, LOWEST_LEVEL, LEVEL_STEPS, OPACITY_STEPS: quantisation of hits, as in app/render/passes/gbuffer.py.
#define UNIT_LEVEL  // needs derivatives, which only fragment shaders have
#include "include/level_of_detail.glsl"
#if LAYER == 1
#include "gbuffer/depth_peeling.glsl"
#endif

in vec2 v_uv;

#if SURFACE == 1
uniform vec3 u_eye;
in vec3 v_position;
layout(location = 0) out vec4 o_surface;
layout(location = 1) out vec4 o_normal;
#else
layout(location = 0) out vec4 o_hit;
#if SCALED
uniform float u_focal;   // focal length over that of the reference view
in float v_distance;     // from which the reference view shows the surface
#endif
#endif

#if VALUED
uniform vec2 u_opaque;  // the value at which opacity begins, the least range over which it grows to 1
in float v_seen;

float hit_opacity() {
    float range = clamp(fwidth(v_seen), u_opaque.y, 0.5);  // at least a pixel, and 1 where all was seen
    float share = clamp((v_seen - u_opaque.x) / range, 0.0, 1.0);
    return share * share * (3.0 - 2.0 * share);
}
#endif

void main() {
    float level = unit_level(v_uv);
#if VALUED
    float opacity = hit_opacity();
#else
    const float opacity = 1.0;
#endif
#if LAYER == 1
    if (is_peeled_away())
        discard;
#endif
#if SURFACE == 1
    o_surface = vec4(v_uv, distance(u_eye, v_position), float(gl_PrimitiveID + 1));
    vec3 normal = cross(dFdx(v_position), dFdy(v_position));
    o_normal = vec4(normal / max(length(normal), 1e-20), level);
#else
#if SCALED
    float scale = max(v_distance * u_focal * gl_FragCoord.w, 1e-4);
#else
    float scale = 1.0;
#endif
    float level_step = clamp(round((level - LOWEST_LEVEL) * LEVEL_STEPS), 0.0, -LOWEST_LEVEL * LEVEL_STEPS - 1.0);
    float shared_bits = level_step * OPACITY_STEPS + round(opacity * (OPACITY_STEPS - 1.0));
    o_hit = vec4(v_uv * (UV_STEPS / 65535.0), shared_bits / 65535.0, scale / (1.0 + scale));
#endif
}
