// A reference picture as the frame's camera sees it, or how far the frame is from it.
//   ERROR: 1 for the mean absolute difference of the channels, along a ramp of colours; 0 for the picture.
uniform sampler2D u_reference;  // premultiplied by alpha, row 0 at the bottom
uniform vec4 u_place;           // a pixel of the frame, times xy plus zw, is one of the reference
uniform vec4 u_background;      // premultiplied by alpha
#if ERROR == 1
uniform sampler2D u_drawn;  // the frame on the same background
uniform float u_range;      // the difference at the bright end of the ramp
#include "include/ramp.glsl"
#endif

out vec4 o_color;

void main() {
    vec2 size = vec2(textureSize(u_reference, 0));
    vec2 place = (gl_FragCoord.xy * u_place.xy + u_place.zw) / size;
    bool inside = all(greaterThanEqual(place, vec2(0.0))) && all(lessThanEqual(place, vec2(1.0)));
    vec4 color = texture(u_reference, place);
    color += (1.0 - color.a) * u_background;
#if ERROR == 1
    vec3 apart = abs(color.rgb - texelFetch(u_drawn, ivec2(gl_FragCoord.xy), 0).rgb);
    o_color = vec4(inside ? along_ramp(dot(apart, vec3(1.0 / 3.0)) / u_range) : vec3(0.08), 1.0);
#else
    o_color = inside ? color : u_background;
#endif
}
