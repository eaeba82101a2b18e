// First hits of the rays with one shell. The shader is minimal because overdraw runs it for many hidden fragments.
//   LAYER 0: outer shell.  LAYER 1: inner shell, restricted to fragments behind layer 0.
//   SURFACE 0: hits for shading, 16 bits per channel: u, v, level of detail, r / (1 + r) for the pixel's scale r.
//   SURFACE 1: for baking and inspection: u, v, distance from the eye, face index + 1; normal, level of detail.
//   SCALED 1: the network has a reference view, see app/scene/coordinates/reference_view.py.  SCALED 0: r is 1.
//   UV_STEPS, LOWEST_LEVEL, LEVEL_STEPS: quantisation of hits, as in app/render/passes/gbuffer.py.
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

void main() {
    float level = unit_level(v_uv);
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
    o_hit = vec4(v_uv * (UV_STEPS / 65535.0), (level - LOWEST_LEVEL) * (LEVEL_STEPS / 65535.0), scale / (1.0 + scale));
#endif
}
